import type { ServiceConfig } from '../config/index.ts'
import { messageOf, readTransportError } from '../errors/index.ts'
import type { AwsCredentialIdentity } from '../signing/index.ts'
import { adviseCall, adviseConfiguration, adviseNetwork } from './advice.ts'
import type { Connection, Measured } from './probe.ts'
import type { SentRequest } from './signed-call.ts'
import type { CallerIdentity } from './who-am-i.ts'

/** Result of one check. `warn` means that calls still work. */
export interface CheckResult {
  readonly name: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly detail: string
  /** What to do about it. */
  readonly advice?: string
}

const SECOND = 1_000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE

/** ACM renews a certificate 60 days before it expires, other issuers usually 30 days before. */
const CERTIFICATE_WARNING = 14 * DAY
const CREDENTIALS_WARNING = 5 * MINUTE
/** The `Date` of a response has whole seconds, and the response takes some time. */
const CLOCK_WARNING = MINUTE
/** From this difference on, the client corrects the clock after a rejection. */
const CLOCK_FAILURE = 4 * MINUTE

const KINDS: Readonly<Record<string, string>> = {
  'execute-api': 'API Gateway',
  lambda: 'Lambda function URL',
  appsync: 'AppSync',
  'vpc-lattice-svcs': 'VPC Lattice',
  s3: 'S3',
}

/** Checks the variable with a service's URL. `problems` are those of the configuration. */
export function checkVariable(source: string, problems: readonly string[], url = ''): CheckResult {
  if (problems.length === 0) return { name: 'variable', status: 'ok', detail: `${source} = ${url}` }
  return {
    name: 'variable',
    status: 'fail',
    detail: problems.join('\n'),
    advice: [...new Set(problems.map(adviseConfiguration))].join('\n'),
  }
}

export function checkKind({ signingName, region, host }: ServiceConfig): CheckResult {
  const kind = Object.hasOwn(KINDS, signingName) ? `${KINDS[signingName]} (${signingName})` : signingName
  const signedHost = host === undefined ? '' : `, signed for ${host}`
  return { name: 'kind', status: 'ok', detail: `${kind} in ${region}${signedHost}` }
}

export function checkDns(found: Measured<readonly string[]>): CheckResult {
  const name = 'dns'
  if (!found.ok) return failedNetwork(name, found)
  return { name, status: 'ok', detail: `${found.value.join(', ')} (${inMs(found)})` }
}

export function checkConnection(made: Measured<Connection>): CheckResult {
  const name = 'connection'
  if (!made.ok) return failedNetwork(name, made)
  return { name, status: 'ok', detail: `${made.value.protocol ?? 'plain http'} (${inMs(made)})` }
}

/** Checks a certificate. Undefined for a connection without one. */
export function checkCertificate(made: Measured<Connection>, now: number): CheckResult | undefined {
  const end = made.ok ? made.value.certificateEnd : undefined
  if (end === undefined) return undefined
  const left = end.getTime() - now
  const result = { name: 'certificate', detail: `${Math.floor(left / DAY)} days left, until ${day(end)}` }
  if (left > CERTIFICATE_WARNING) return { ...result, status: 'ok' }
  return {
    ...result,
    status: 'warn',
    advice: 'Renew it. If ACM manages it, check why ACM did not renew it: the domain must still be validated.',
  }
}

/** Checks the clock against the `Date` of a response. Undefined without a `Date`. */
export function checkClock({ response, durationMs, endedAt }: SentRequest): CheckResult | undefined {
  const headers = response?.headers
  const date = Date.parse(headers?.get('date') ?? '')
  // A cached response has the date at which it was stored.
  if (Number.isNaN(date) || headers?.has('age')) return undefined
  // Compares the middle of the request with the middle of the second in `Date`.
  const ahead = endedAt - durationMs / 2 - (date + SECOND / 2)
  const seconds = Math.round(Math.abs(ahead) / SECOND)
  const detail = seconds < 2 ? 'same as the gateway' : `${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} the gateway`
  const result = { name: 'clock', detail }
  if (Math.abs(ahead) < CLOCK_WARNING) return { ...result, status: 'ok' }
  const advice = "Synchronise this machine's clock (NTP): gateways reject signatures whose time is off by five minutes."
  return { ...result, status: Math.abs(ahead) < CLOCK_FAILURE ? 'warn' : 'fail', advice }
}

/** Checks the source and the expiration of credentials. */
export function checkCredentials(
  source: string,
  found: Measured<AwsCredentialIdentity>,
  expiration: Date | undefined,
  now: number,
): CheckResult {
  const name = 'credentials'
  if (!found.ok) {
    return {
      name,
      status: 'fail',
      detail: `none from ${source}: ${messageOf(found.error)}`,
      advice:
        'Export AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or sign in and set --profile. In Lambda, the runtime sets them for the execution role.',
    }
  }
  const { accessKeyId, sessionToken } = found.value
  const key = `access key ...${accessKeyId.slice(-4)}, from ${source}`
  if (expiration === undefined) {
    const end = sessionToken === undefined ? 'no session token, so they do not expire' : 'unknown expiration'
    return { name, status: 'ok', detail: `${key}, ${end}` }
  }
  const left = expiration.getTime() - now
  const minutes = Math.floor(Math.abs(left) / MINUTE)
  const advice = 'Sign in again, for example with `aws sso login`, or export new credentials.'
  if (left <= 0) return { name, status: 'fail', detail: `${key}, expired ${minutes} minutes ago`, advice }
  const detail = `${key}, ${minutes} minutes left`
  return left < CREDENTIALS_WARNING ? { name, status: 'warn', detail, advice } : { name, status: 'ok', detail }
}

export function checkCaller(found: Measured<CallerIdentity>): CheckResult {
  const name = 'caller'
  if (found.ok) return { name, status: 'ok', detail: `${found.value.arn} (account ${found.value.account})` }
  const detail = deepestMessage(found.error)
  const advice = /^STS returned/.test(detail)
    ? 'Sign in again, or set access key, secret key and session token again, all from the same source. Check the clock.'
    : adviseNetwork(readTransportError(found.error).code)
  return { name, status: 'fail', detail, advice }
}

/** Checks the response to the signed request. */
export function checkHealth(path: string, called: Measured<Response>): CheckResult {
  const name = 'health'
  const request = `GET ${path}`
  if (called.ok) return { name, status: 'ok', detail: `${request}: ${called.value.status} (${inMs(called)})` }
  // The first line is the error, the other lines are its hint.
  const [first = '', ...hint] = messageOf(called.error).split('\n')
  const problem = first.replace(/^.*?: [A-Z]+ \S*: /, '')
  const advice = [...hint, adviseCall(called.error)].filter((line) => line !== undefined).join('\n')
  return {
    name,
    status: 'fail',
    detail: `${request}: ${problem} (${inMs(called)})`,
    ...(advice !== '' && { advice }),
  }
}

function failedNetwork(name: string, failed: Measured<unknown> & { readonly ok: false }): CheckResult {
  const { code } = readTransportError(failed.error)
  const detail = [...new Set([code, deepestMessage(failed.error)])].join(': ')
  return { name, status: 'fail', detail: `${detail} (${inMs(failed)})`, advice: adviseNetwork(code) }
}

/** The messages of nested errors, as in `fetch` and aggregate errors. */
function deepestMessage(error: unknown): string {
  return readTransportError(error).message || messageOf(error)
}

function inMs({ durationMs }: Measured<unknown>): string {
  return `${Math.round(durationMs)} ms`
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10)
}

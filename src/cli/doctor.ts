import type { BaseUrl } from '../config/index.ts'
import { redactText, ServicesConfigurationError, URL_NOT_SET, withoutControls } from '../errors/index.ts'
import type { AwsCredentialIdentity } from '../signing/index.ts'
import type { DoctorCommand } from './arguments.ts'
import {
  type CheckResult,
  checkCaller,
  checkCertificate,
  checkClock,
  checkConnection,
  checkCredentials,
  checkDns,
  checkHealth,
  checkKind,
  checkVariable,
} from './checks.ts'
import type { Context } from './context.ts'
import { connect, findAddresses, type Measured, measure } from './probe.ts'
import { createProgress, formatJson, formatTable, type Report, type ServiceReport, usesColor } from './report.ts'
import { type ObservedClient, observeClient } from './signed-call.ts'
import { type Credentials, findCredentials, findServices, resolveTarget, type Target } from './target.ts'
import { stsUrl, whoAmI } from './who-am-i.ts'

/**
 * Checks the credentials, and all services in parallel.
 * @returns Exit code: 0 if all checks passed, 1 if a check warns or fails
 */
export async function runDoctor(command: DoctorCommand, context: Context): Promise<number> {
  const { env, stdout } = context
  const targets = command.targets.length > 0 ? command.targets : findServices(env)
  const located = targets.length > 0 ? targets.map((target) => locate(target, command, env)) : NO_SERVICES
  const progress = createProgress(context.stderr, targets, command.json)
  const report = await examine(command, context, located, progress.done)
  progress.end()
  stdout.write(command.json ? formatJson(report) : formatTable(report, usesColor(stdout, env)))
  return report.ok ? 0 : 1
}

/** A target, or the problems of its configuration. */
interface Located {
  readonly name: string
  readonly target?: Target
  readonly problems: readonly string[]
}

const NO_SERVICES: readonly Located[] = [{ name: '<name>', problems: [`<NAME>_SERVICE_API_URL: ${URL_NOT_SET}`] }]

function locate(name: string, command: DoctorCommand, env: NodeJS.ProcessEnv): Located {
  try {
    return { name, target: resolveTarget(name, command, env), problems: [] }
  } catch (error) {
    if (!(error instanceof ServicesConfigurationError)) throw error
    return { name, problems: error.problems }
  }
}

async function examine(
  command: DoctorCommand,
  context: Context,
  located: readonly Located[],
  done: (name: string) => void,
): Promise<Report> {
  const credentials = findCredentials(command.profile, context.env)
  const identity = await measure(command.timeout, async () => credentials.source.get())
  const secrets = new Set<string>(identity.ok ? secretsOf(identity.value) : [])
  const region =
    command.region ?? located.find(({ target }) => target)?.target?.service.region ?? context.env.AWS_REGION
  const [account, services] = await Promise.all([
    examineAccount(command, context, credentials, identity, region),
    Promise.all(
      located.map(async (one) => {
        const report = await examineService(command, context, one, credentials, secrets)
        done(one.name)
        return report
      }),
    ),
  ])
  const redactAll = (checks: readonly CheckResult[]) => checks.map((result) => redact(result, secrets))
  const reports = services.map(({ checks, ...service }) => ({ ...service, checks: redactAll(checks) }))
  const all = [account, ...services.map(({ checks }) => checks)].flat()
  return { ok: all.every(({ status }) => status === 'ok'), account: redactAll(account), services: reports }
}

async function examineAccount(
  { timeout, whoami }: DoctorCommand,
  { env, now }: Context,
  { name }: Credentials,
  identity: Measured<AwsCredentialIdentity>,
  region: string | undefined,
): Promise<readonly CheckResult[]> {
  const checks = [checkCredentials(name, identity, endOf(identity, env), now())]
  if (!whoami || !identity.ok) return checks
  if (region === undefined) {
    const detail = 'no region for the request to STS'
    return [...checks, { name: 'caller', status: 'fail', detail, advice: 'Set --region or AWS_REGION.' }]
  }
  const controller = new AbortController()
  const caller = await measure(timeout, () => whoAmI(identity.value, region, stsUrl(region, env), controller.signal))
  controller.abort()
  return [...checks, checkCaller(caller)]
}

/** Expiration of credentials. For those in environment variables, the AWS CLI exports a variable with it. */
function endOf(identity: Measured<AwsCredentialIdentity>, env: NodeJS.ProcessEnv): Date | undefined {
  if (!identity.ok) return undefined
  const { expiration, accessKeyId } = identity.value
  const text = accessKeyId === env.AWS_ACCESS_KEY_ID ? env.AWS_CREDENTIAL_EXPIRATION : undefined
  const end = expiration ?? new Date(text ?? Number.NaN)
  return Number.isNaN(end.getTime()) ? undefined : end
}

async function examineService(
  command: DoctorCommand,
  context: Context,
  { name, target, problems }: Located,
  { source }: Credentials,
  secrets: Set<string>,
): Promise<ServiceReport> {
  if (target === undefined) return { name, ok: false, checks: [checkVariable(name, problems)] }
  const { service, variable } = target
  const base = service.base as BaseUrl
  const checks = [checkVariable(variable ?? 'given', [], base.href), checkKind(service)]
  if (await reach()) {
    const observed = observeClient(service, { credentials: source, now: context.now })
    checks.push(checkHealth(command.path, await callHealth(observed, command)))
    for (const secret of observed.secrets) secrets.add(secret)
    const [first] = observed.attempts
    add(first && checkClock(first))
  }
  return { name, url: base.href, ok: checks.every(({ status }) => status === 'ok'), checks }

  function add(check: CheckResult | undefined): void {
    if (check !== undefined) checks.push(check)
  }

  /** Whether a connection can be made. Further checks need one. */
  async function reach(): Promise<boolean> {
    const { timeout } = command
    const addresses = await measure(timeout, () => findAddresses(base))
    checks.push(checkDns(addresses))
    if (!addresses.ok) return false
    const connection = await measure(timeout, () => connect(base, service.host, timeout))
    checks.push(checkConnection(connection))
    add(checkCertificate(connection, context.now()))
    return connection.ok
  }
}

/** Sends one attempt: a successful retry would hide the problem. */
function callHealth({ client }: ObservedClient, { path, timeout }: DoctorCommand): Promise<Measured<Response>> {
  return measure(false, async () => {
    const response = await client(path, { method: 'GET', retry: 0, timeout })
    await response.arrayBuffer()
    return response
  })
}

function secretsOf({ accessKeyId, secretAccessKey, sessionToken = '' }: AwsCredentialIdentity): readonly string[] {
  return [accessKeyId, secretAccessKey, sessionToken]
}

/** Removes secrets and control characters, which a response may contain, for the terminal. */
function redact({ name, status, detail, advice }: CheckResult, secrets: ReadonlySet<string>): CheckResult {
  const clean = (text: string) => redactText(text, secrets).split('\n').map(withoutControls).join('\n')
  return { name, status, detail: clean(detail), ...(advice !== undefined && { advice: clean(advice) }) }
}

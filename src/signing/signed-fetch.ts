import {
  isFunction,
  members,
  messageOf,
  must,
  readThrown,
  redactCause,
  redactMessage,
  ServiceError,
  ServicesConfigurationError,
  toShowable,
} from '../errors/index.ts'
import { createClockSkew } from './clock-skew.ts'
import {
  type AwsCredentialIdentity,
  type AwsCredentialProvider,
  createCredentialSource,
  isIdentity,
} from './credentials.ts'
import { readRequest } from './request-body.ts'
import { createSendSigned, type SignedCall } from './send-signed.ts'
import { regionCheck, signingNameCheck } from './service-table.ts'

/** Options of `createSignedFetch`. */
export interface SignedFetchOptions {
  /** Identity or provider; default: the environment's credentials, else the AWS SDK's provider chain. */
  readonly credentials?: AwsCredentialIdentity | AwsCredentialProvider
  /** AWS region of the credential scope, such as `eu-central-1`; has no default. */
  readonly region: string
  /** Signing name of the AWS service, such as `execute-api`, `lambda` or `appsync`; has no default. */
  readonly service: string
  /** What sends the signed request; default: Node.js's own client, or global `fetch` where that has been replaced. */
  readonly fetch?: typeof globalThis.fetch
}

const checkOptions = members('createSignedFetch', {
  region: regionCheck,
  service: signingNameCheck,
  credentials: must('credentials, or a provider function', (value: unknown) => isIdentity(value) || isFunction(value)),
  fetch: must('a function', isFunction),
})

/**
 * A `fetch` that signs what it sends with Signature Version 4: any URL, no retries, no followed redirects.
 * Rejects with `ServiceRequestError` for what cannot be signed, otherwise as `fetch` does.
 * @param options For whom to sign; region and service have no defaults.
 * @throws ServicesConfigurationError listing every mistake in the options
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function createSignedFetch(options: SignedFetchOptions): typeof globalThis.fetch {
  const problems: string[] = []
  // Both have no default.
  for (const name of ['region', 'service'] as const) {
    if (options?.[name] === undefined) problems.push(`${name}: is missing`)
  }
  checkOptions(options, '', problems)
  if (problems.length > 0) throw new ServicesConfigurationError(problems)
  const { service, fetch } = options
  const region = options.region.trim()
  const credentials = createCredentialSource(options.credentials)
  const sendSigned = createSendSigned({ credentials, region, signingName: service, fetch, clock: createClockSkew() })
  return async (input, init) => {
    // Asks `input` each time: the signal of a Request that is collected as garbage no longer follows its source.
    const findSignal = () => init?.signal ?? (input instanceof Request ? input.signal : undefined)
    const signal = findSignal() ?? new AbortController().signal
    const secrets = new Set<string>()
    const failAs = (message: string) => (error: unknown) =>
      findSignal()?.aborted ? signal.reason : toFetchError(error, message, secrets)
    try {
      const request = readRequest(input instanceof Request ? input : new URL(input), init)
      const { method, url } = request
      const call: SignedCall = { service, method, path: url.pathname, attempts: 0, secrets, tried: new Set() }
      return await sendSigned(request, call, { signal, toError: failAs('terminated') })
    } catch (error) {
      throw failAs('fetch failed')(error)
    }
  }
}

/** As `fetch` fails: with a `TypeError` whose cause says why, and nothing else of what has failed. */
function toFetchError(thrown: unknown, message: string, secrets: ReadonlySet<string>): unknown {
  const error = toShowable(thrown)
  if (error instanceof ServiceError) return error
  if (!(error instanceof TypeError)) return new TypeError(message, { cause: redactCause(error, secrets) })
  const { cause } = readThrown(error)
  const problem = redactMessage(messageOf(error), secrets)
  return new TypeError(problem, cause === undefined ? {} : { cause: redactCause(cause, secrets) })
}

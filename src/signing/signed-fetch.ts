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
  /**
   * An identity or a provider function. Default: from environment variables, else from the AWS SDK's provider chain.
   */
  readonly credentials?: AwsCredentialIdentity | AwsCredentialProvider
  /** AWS region to sign for, such as `eu-central-1`. Required. */
  readonly region: string
  /** Signing name of the AWS service, such as `execute-api`, `lambda` or `appsync`. Required. */
  readonly service: string
  /**
   * Function that sends the signed request. Default: Node.js's HTTP client, or global `fetch` if it has been replaced.
   */
  readonly fetch?: typeof globalThis.fetch
}

const checkOptions = members('createSignedFetch', {
  region: regionCheck,
  service: signingNameCheck,
  credentials: must('credentials, or a provider function', (value) => isIdentity(value) || isFunction(value)),
  fetch: must('a function', isFunction),
})

/**
 * Creates a `fetch` that signs requests to any URL with Signature Version 4. It neither retries nor follows redirects.
 * It rejects with a `ServiceRequestError` if a request cannot be signed, else with the errors of `fetch`.
 * @param options Region and service to sign for, and credentials.
 * @throws ServicesConfigurationError listing every mistake in the options
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function createSignedFetch(options: SignedFetchOptions): typeof globalThis.fetch {
  const problems: string[] = []
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
    // Reads the signal again each time: the signal of a garbage-collected Request no longer follows its source.
    const findSignal = () => init?.signal ?? (input instanceof Request ? input.signal : undefined)
    const signal = findSignal() ?? new AbortController().signal
    const secrets = new Set<string>()
    const failAs = (message: string) => (error: unknown) =>
      findSignal()?.aborted ? signal.reason : toFetchError(error, message, secrets)
    try {
      const request = readRequest(input instanceof Request ? input : new URL(input), init ?? {})
      const { method, url } = request
      const call: SignedCall = { service, method, path: url.pathname, attempts: 0, secrets, tried: new Set() }
      return await sendSigned(request, call, { signal, toError: failAs('terminated') })
    } catch (error) {
      throw failAs('fetch failed')(error)
    }
  }
}

/** Creates the error that `fetch` would throw: a `TypeError` with a cause. Other members of the error are dropped. */
function toFetchError(thrown: unknown, message: string, secrets: ReadonlySet<string>): unknown {
  const error = toShowable(thrown)
  if (error instanceof ServiceError) return error
  if (!(error instanceof TypeError)) return new TypeError(message, { cause: redactCause(error, secrets) })
  const { cause } = readThrown(error)
  const problem = redactMessage(messageOf(error), secrets)
  return new TypeError(problem, cause === undefined ? {} : { cause: redactCause(cause, secrets) })
}

import type { RetryOptions } from 'ky'
import type { CallInfo } from '../errors/index.ts'
import type { AwsCredentialIdentity, AwsCredentialProvider } from '../signing/index.ts'

/** Longest time that a timer takes, in milliseconds. */
export const MAX_TIMER_MS = 2_147_483_647

/** Options of a circuit breaker. */
export interface CircuitBreakerOptions {
  /**
   * Consecutive failed calls that open the circuit.
   * @default 5
   */
  readonly failureThreshold?: number | undefined
  /**
   * Milliseconds that the circuit stays open before one call may probe the service.
   * @default 60_000
   */
  readonly resetTimeout?: number | undefined
}

/** What is told of a call after its last attempt; never bodies or headers. */
export interface CallRecord extends CallInfo {
  /** HTTP status of the last answer; absent where there was none. */
  readonly status?: number
  /** Milliseconds, retries and waits included, and the body where it was read by `.json()` and its kin. */
  readonly durationMs: number
  /** API Gateway's id of the last answer. */
  readonly requestId?: string
  /** What was sent as `X-Amzn-Trace-Id`. */
  readonly traceId?: string
  /**
   * Code of the error that the call or its body failed with, such as `ERR_SERVICE_TIMEOUT`; `ABORTED` for the caller's own
   * abort, `SCHEMA` for ky's `SchemaValidationError`. Absent where it succeeded.
   */
  readonly errorCode?: string
}

/** What goes beside a line. */
export interface LogDetails {
  readonly [key: string]: unknown
}

/** What log lines go to; `console` and Powertools' Logger fit as they are. What it throws is dropped. */
export interface ServicesLogger {
  /** A call that succeeded, its record as `details.call`. */
  info(message: string, details: LogDetails): void
  /** What went on beside calls: calls that outlived the handler, failures that nobody awaited, a failed `onCall`. */
  warn(message: string, details: LogDetails): void
  /** A call that failed, its record as `details.call`. */
  error(message: string, details: LogDetails): void
}

/** What may be set for all services, and for one of them. */
interface CommonOptions {
  /** AWS region that signatures are for. Default: from the URL's host, else the environment's `AWS_REGION`. */
  readonly region?: string | undefined
  /**
   * An identity, a provider, or the name of a Middy internal value that holds an identity, as `@middy/sts` sets it.
   * Default: the environment's, else the AWS SDK's provider chain.
   * @see https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
   */
  readonly credentials?: AwsCredentialIdentity | AwsCredentialProvider | string | undefined
  /**
   * Milliseconds that one attempt may take, headers and body together; the invocation's deadline cuts it shorter.
   * API Gateway itself gives up after 29 seconds, unless its quota was raised. False: only the deadline bounds an attempt.
   * @default 30_000
   * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
   */
  readonly timeout?: number | false | undefined
  /**
   * Milliseconds without a byte of the response after which an attempt ends, for responses that are streams. Default: none.
   */
  readonly idleTimeout?: number | undefined
  /**
   * Most bytes, after decoding, that reading a whole body may take, by `.json()`, `.text()` and the like. A longer body is a
   * `ServiceResponseError`. False: no limit. API Gateway sends at most 10 MB, which compression can make more of.
   * @default 16_777_216
   */
  readonly maxResponseSize?: number | false | undefined
  /**
   * Most connections that are open to one origin at a time; further calls wait for one.
   * @default 128
   */
  readonly maxConnections?: number | undefined
  /**
   * Whether calls may go over plain http to any host, as SAM local, LocalStack and Docker Compose need. False: only to
   * loopback hosts.
   * @default false
   */
  readonly allowHttp?: boolean | undefined
  /**
   * Retries of idempotent methods, and of others where the request cannot have run: how many, or ky's options, which can
   * only narrow the rules of this package.
   * @default 2, with full jitter
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
   * @see https://github.com/sindresorhus/ky#retry
   */
  readonly retry?: number | RetryOptions | undefined
  /**
   * Refuses calls to a service that keeps failing, for a while: true for the defaults, 5 consecutive failed calls and
   * 60 seconds. Shared by an environment's invocations.
   * @default false
   */
  readonly circuitBreaker?: boolean | CircuitBreakerOptions | undefined
  /** Sent with every call; a call's own headers win, then a service's own. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** One service, where its name alone does not say everything. */
export interface ServiceOptions extends CommonOptions {
  /** Base URL, stage included: https, or http to a loopback host. Default: from the variable `env`. */
  readonly url?: string | undefined
  /** Variable that holds the base URL. Default: `<NAME>_SERVICE_API_URL`. */
  readonly env?: string | undefined
  /** Name of a Middy internal value that holds the base URL, as `@middy/ssm` sets it; awaited once an invocation. Default: none. */
  readonly internal?: string | undefined
  /**
   * True: a missing URL is an error of each call, a `ServiceRequestError`, instead of the cold start.
   * @default false
   */
  readonly optional?: boolean | undefined
  /** Signing name of the AWS service. Default: from the URL's host, else `execute-api`. */
  readonly signingName?: string | undefined
  /**
   * Host to sign for, and to send as `Host` and TLS server name, where the URL's own is that of a tunnel or of a VPC
   * endpoint. Default: the URL's host.
   */
  readonly host?: string | undefined
}

/** Names of services, or an object from name to base URL or options. */
export type ServicesOption = readonly string[] | { readonly [name: string]: string | ServiceOptions }

/** Options of `signedServices` and `createServices`. */
export interface SignedServicesOptions<S extends ServicesOption = ServicesOption> extends CommonOptions {
  /**
   * Services to have clients of: a list of names, or an object from name to base URL or options. Only these names
   * are on the type of `services`; a list in a variable needs `as const` for that.
   * @default ['ai', 'integration', 'background', 'admin']
   */
  readonly services?: S | undefined
  /**
   * Milliseconds of the invocation kept back for the handler's own answer: calls end that long before its timeout.
   * @default 200
   */
  readonly deadlineMargin?: number | undefined
  /**
   * Time that POST, PUT, PATCH and DELETE calls which are in flight when the handler ends may take to finish, in
   * milliseconds; `await` lets them run until the deadline. What is left then is aborted, and so is every other call at
   * once. `ignore` leaves all of them to the environment's freeze.
   * @default 1_000
   */
  readonly pendingCalls?: number | 'await' | 'ignore' | undefined
  /** One line a call, and warnings. Default: warnings to the console, nothing else. */
  readonly logger?: ServicesLogger | undefined
  /** Told of each call, once, after its last attempt. What it throws is logged. Default: nobody is told. */
  readonly onCall?: ((record: CallRecord) => void) | undefined
  /**
   * Whether calls carry the invocation's trace on as `X-Amzn-Trace-Id`.
   * @default true
   * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
   */
  readonly trace?: boolean | undefined
  /**
   * What sends the signed requests. Default: Node.js's own HTTP client; global `fetch` where that, or its dispatcher, has
   * been replaced.
   */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/** Written out above, so that the compiler's messages show what is allowed. */
export type PendingCallsOption = Exclude<SignedServicesOptions['pendingCalls'], undefined>

export const defaults = {
  services: ['ai', 'integration', 'background', 'admin'],
  timeout: 30_000,
  maxResponseSize: 16_777_216,
  deadlineMargin: 200,
  circuitBreaker: false,
  pendingCalls: 1_000,
  trace: true,
} as const

export const circuitBreakerDefaults = { failureThreshold: 5, resetTimeout: 60_000 } as const

/** The services where the option names none. */
export type DefaultServices = typeof defaults.services

/** Options in one form: services by name, retry and circuit breaker as objects. */
export interface NormalizedOptions extends Normalized<Omit<SignedServicesOptions, 'services'>> {
  readonly services: { readonly [name: string]: Normalized<ServiceOptions> }
}

type Normalized<T> = Omit<T, 'circuitBreaker' | 'retry'> & {
  readonly circuitBreaker?: CircuitBreakerOptions | false | undefined
  readonly retry?: RetryOptions | undefined
}

/** Brings options that have been checked to one form. */
export function normalizeOptions(options: SignedServicesOptions): NormalizedOptions {
  const { services = defaults.services } = options
  const entries = Array.isArray(services)
    ? services.map((name) => [name, {}] as const)
    : Object.entries(services).map(
        ([name, service]) => [name, normalizeCommon(typeof service === 'string' ? { url: service } : service)] as const,
      )
  return { ...normalizeCommon(options), services: Object.fromEntries(entries) }
}

/** A number of retries, or a switch, as the object that it stands for. */
function normalizeCommon<T extends CommonOptions>(options: T): Normalized<T> {
  const { retry, circuitBreaker, region, ...others } = options
  return {
    ...others,
    ...(region !== undefined && { region: region.trim() }),
    ...(retry !== undefined && { retry: copyRetry(retry) }),
    ...(circuitBreaker !== undefined && { circuitBreaker: circuitBreaker === true ? {} : circuitBreaker }),
  } as unknown as Normalized<T>
}

/** A copy that shares nothing which a caller could change; a number is a limit. */
export function copyRetry(retry: number | RetryOptions): RetryOptions {
  if (typeof retry === 'number') return { limit: retry }
  const copy = { ...retry }
  if (retry.methods) copy.methods = [...retry.methods]
  if (retry.statusCodes) copy.statusCodes = [...retry.statusCodes]
  if (retry.afterStatusCodes) copy.afterStatusCodes = [...retry.afterStatusCodes]
  return copy
}

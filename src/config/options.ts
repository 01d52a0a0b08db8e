import type { RetryOptions } from 'ky'
import type { CallInfo } from '../errors/index.ts'
import type { AwsCredentialIdentity, AwsCredentialProvider } from '../signing/index.ts'

/** Longest time that a Node.js timer accepts, in milliseconds. */
export const MAX_TIMER_MS = 2_147_483_647

/** Options of a circuit breaker. */
export interface CircuitBreakerOptions {
  /**
   * Consecutive failed calls that open the circuit.
   * @default 5
   */
  readonly failureThreshold?: number | undefined
  /**
   * Milliseconds that the circuit stays open. Then one call may probe the service.
   * @default 60_000
   */
  readonly resetTimeout?: number | undefined
}

/** Record of a call, made after its last attempt. It never contains bodies or headers. */
export interface CallRecord extends CallInfo {
  /** HTTP status of the last response. Absent without a response. */
  readonly status?: number
  /**
   * Milliseconds of the whole call, with retries and waits. Reading the body counts if `.json()` or a similar method
   * reads it.
   */
  readonly durationMs: number
  /** API Gateway's id of the last request, from its response. */
  readonly requestId?: string
  /** Value of the header `X-Amzn-Trace-Id` that was sent. */
  readonly traceId?: string
  /**
   * Code of the error of the call or of its body, such as `ERR_SERVICE_TIMEOUT`. `ABORTED` if the caller aborted the
   * call, `SCHEMA` for ky's `SchemaValidationError`. Absent if the call succeeded.
   */
  readonly errorCode?: string
}

/** Structured details of a log line. */
export interface LogDetails {
  readonly [key: string]: unknown
}

/** A logger, such as `console` or Powertools' Logger. Errors that it throws are ignored. */
export interface ServicesLogger {
  /** A successful call, with its record in `details.call`. */
  info(message: string, details: LogDetails): void
  /**
   * A warning: calls that were pending when the handler ended, a failed call that was never awaited, a failed `onCall`.
   */
  warn(message: string, details: LogDetails): void
  /** A failed call, with its record in `details.call`. */
  error(message: string, details: LogDetails): void
}

/** Options for all services, or for one of them. */
interface CommonOptions {
  /** AWS region to sign for. Default: from the URL's host, else the environment variable `AWS_REGION`. */
  readonly region?: string | undefined
  /**
   * An identity, a provider function, or the name of a Middy internal value with an identity, as `@middy/sts` sets it.
   * Default: from environment variables, else from the AWS SDK's provider chain.
   * @see https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
   */
  readonly credentials?: AwsCredentialIdentity | AwsCredentialProvider | string | undefined
  /**
   * Milliseconds that one attempt may take, headers and body together. The invocation's deadline may end it earlier.
   * API Gateway's own timeout is 29 seconds, unless its quota was raised. False: only the deadline limits an attempt.
   * @default 30_000
   * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
   */
  readonly timeout?: number | false | undefined
  /**
   * Milliseconds without response data after which an attempt fails. Meant for streams. Default: none.
   */
  readonly idleTimeout?: number | undefined
  /**
   * Limit in bytes for reading a whole body, by `.json()`, `.text()` and similar methods. Bytes count after decoding. A
   * longer body throws a `ServiceResponseError`. False: no limit. API Gateway sends at most 10 MB, but these may be
   * compressed.
   * @default 16_777_216
   */
  readonly maxResponseSize?: number | false | undefined
  /**
   * Limit of open connections to one origin. Further calls wait for a connection.
   * @default 128
   */
  readonly maxConnections?: number | undefined
  /**
   * Whether calls may use plain http to any host, as for SAM local, LocalStack and Docker Compose. False: only to
   * loopback hosts.
   * @default false
   */
  readonly allowHttp?: boolean | undefined
  /**
   * Number of retries, or ky's retry options. The client retries idempotent methods, and other methods if the request
   * cannot have run. Options can only narrow these rules.
   * @default 2, with full jitter
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
   * @see https://github.com/sindresorhus/ky#retry
   */
  readonly retry?: number | RetryOptions | undefined
  /**
   * Stops calls to a failing service for some time. True sets the defaults: 5 consecutive failed calls, 60 seconds. All
   * invocations of an execution environment share the circuit breaker.
   * @default false
   */
  readonly circuitBreaker?: boolean | CircuitBreakerOptions | undefined
  /** Headers of every call. The headers of a call take precedence, then those of its service. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Options of one service. */
export interface ServiceOptions extends CommonOptions {
  /** Base URL with the stage: https, or http for a loopback host. Default: from the environment variable of `env`. */
  readonly url?: string | undefined
  /** Name of the environment variable with the base URL. Default: `<NAME>_SERVICE_API_URL`. */
  readonly env?: string | undefined
  /**
   * Name of a Middy internal value with the base URL, as `@middy/ssm` sets it. It is read once in each invocation.
   * Default: none.
   */
  readonly internal?: string | undefined
  /**
   * True: with a missing URL, each call throws a `ServiceRequestError`, instead of an error at cold start.
   * @default false
   */
  readonly optional?: boolean | undefined
  /** Signing name of the AWS service. Default: from the URL's host, else `execute-api`. */
  readonly signingName?: string | undefined
  /**
   * Host to sign for, and to send as `Host` and TLS server name, if the URL's host is a tunnel or a VPC endpoint.
   * Default: the URL's host.
   */
  readonly host?: string | undefined
}

/** Names of services, or an object from name to base URL or options. */
export type ServicesOption = readonly string[] | { readonly [name: string]: string | ServiceOptions }

/** Options of `signedServices` and `createServices`. */
export interface SignedServicesOptions<S extends ServicesOption = ServicesOption> extends CommonOptions {
  /**
   * The services to create clients for: a list of names, or an object from name to base URL or options. The type of
   * `context.services` has only these names. A list in a variable needs `as const` for this type.
   * @default ['ai', 'integration', 'background', 'admin']
   */
  readonly services?: S | undefined
  /**
   * Milliseconds of the invocation that are reserved for the handler's response: calls end this long before its
   * timeout.
   * @default 200
   */
  readonly deadlineMargin?: number | undefined
  /**
   * Milliseconds that pending POST, PUT, PATCH and DELETE calls may take to finish after the handler has ended.
   * `await`: until the deadline. Then the client aborts them. It aborts every other pending call at once. `ignore`: the
   * client does nothing, and the execution environment freezes with pending calls.
   * @default 1_000
   */
  readonly pendingCalls?: number | 'await' | 'ignore' | undefined
  /** Gets one line for each call, and warnings. Default: only warnings, to the console. */
  readonly logger?: ServicesLogger | undefined
  /** Called once for each call, after its last attempt. Errors that it throws are logged. Default: none. */
  readonly onCall?: ((record: CallRecord) => void) | undefined
  /**
   * Whether calls send the invocation's trace in the header `X-Amzn-Trace-Id`.
   * @default true
   * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
   */
  readonly trace?: boolean | undefined
  /**
   * Function that sends the signed requests. Default: Node.js's HTTP client, or global `fetch` if it or its dispatcher
   * has been replaced.
   */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/** The union is written out in `SignedServicesOptions`, so that compiler messages show the allowed values. */
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

/** Retries of a call if the option `retry` is not set. */
export const DEFAULT_RETRIES = 2

export const circuitBreakerDefaults = { failureThreshold: 5, resetTimeout: 60_000 } as const

/** The services if the option `services` is not set. */
export type DefaultServices = typeof defaults.services

/** Normalized options: services by name, `retry` and `circuitBreaker` as objects. */
export interface NormalizedOptions extends Normalized<Omit<SignedServicesOptions, 'services'>> {
  readonly services: { readonly [name: string]: Normalized<ServiceOptions> }
}

type Normalized<T> = Omit<T, 'circuitBreaker' | 'retry'> & {
  readonly circuitBreaker?: CircuitBreakerOptions | false | undefined
  readonly retry?: RetryOptions | undefined
}

/** Normalizes checked options. */
export function normalizeOptions(options: SignedServicesOptions): NormalizedOptions {
  const { services = defaults.services } = options
  const entries = Array.isArray(services)
    ? services.map((name) => [name, {}] as const)
    : Object.entries(services).map(
        ([name, service]) => [name, normalizeCommon(typeof service === 'string' ? { url: service } : service)] as const,
      )
  return { ...normalizeCommon(options), services: Object.fromEntries(entries) }
}

/** Replaces a number of retries, and true for a circuit breaker, by an object. */
function normalizeCommon<T extends CommonOptions>(options: T): Normalized<T> {
  const { retry, circuitBreaker, region, ...others } = options
  return {
    ...others,
    ...(region !== undefined && { region: region.trim() }),
    ...(retry !== undefined && { retry: copyRetry(retry) }),
    ...(circuitBreaker !== undefined && { circuitBreaker: circuitBreaker === true ? {} : circuitBreaker }),
  } as unknown as Normalized<T>
}

/** A deep copy, so that later changes by the caller have no effect. A number is the limit. */
export function copyRetry(retry: number | RetryOptions): RetryOptions {
  if (typeof retry === 'number') return { limit: retry }
  return Object.fromEntries(
    Object.entries(retry).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]),
  )
}

/** Header names in lower case, so that merging replaces a header of any spelling. */
export function lowerCaseNames<T>(headers: Readonly<Record<string, T>> = {}): Record<string, T> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

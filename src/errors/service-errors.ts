import { URL_NOT_SET } from './phrases.ts'
import { withoutControls } from './redact.ts'

/** Error codes of failed calls. */
export type ServiceErrorCode =
  | 'ERR_SERVICE_RESPONSE'
  | 'ERR_SERVICE_AUTH'
  | 'ERR_SERVICE_THROTTLED'
  | 'ERR_SERVICE_TIMEOUT'
  | 'ERR_SERVICE_NETWORK'
  | 'ERR_SERVICE_CIRCUIT_OPEN'
  | 'ERR_SERVICE_REQUEST'

/** Identifies a call, and counts its requests. */
export interface CallInfo {
  /** Name of the service, as in `context.services`. */
  readonly service: string
  /** HTTP method, in upper case. */
  readonly method: string
  /** Path below the service's base URL, without the query. */
  readonly path: string
  /** Requests that were sent, retries included. 0 if nothing was sent. */
  readonly attempts: number
}

interface Details {
  readonly statusCode: number
  readonly cause?: unknown
  readonly requestId?: string | undefined
}

/**
 * Base class of the errors of a call. Two other errors exist: the caller's own abort reason, and ky's
 * `SchemaValidationError`. Use `instanceof ServiceError` to detect a failed call.
 */
export class ServiceError extends Error {
  /** Name of the class, also where a bundler renames the class. */
  override readonly name: string = 'ServiceError'
  /** Stable, for `switch` and metrics. */
  declare readonly code: ServiceErrorCode
  /** Name of the service, as in `context.services`. */
  readonly service: string
  /** HTTP method, in upper case. */
  readonly method: string
  /** Path below the service's base URL, without the query. */
  readonly path: string
  /** Requests that were sent, retries included. 0 if nothing was sent. */
  readonly attempts: number
  /** API Gateway's id of the request, for a search in its logs. Absent where the response has none. */
  declare readonly requestId?: string
  /** HTTP status that the handler may respond with. It is not the status of the service's response. */
  readonly statusCode: number
  /** Always false: the message is meant for logs, not for clients of the handler. */
  readonly expose: boolean = false

  constructor(call: CallInfo, problem: string, details: Details) {
    super(
      `${call.service}: ${call.method} ${call.path}: ${problem}`,
      'cause' in details ? { cause: details.cause } : {},
    )
    this.service = call.service
    this.method = call.method
    this.path = call.path
    this.attempts = call.attempts
    if (details.requestId !== undefined) this.requestId = details.requestId
    this.statusCode = details.statusCode
  }
}

/** The client refused to send the request: invalid input, no credentials, or a URL outside the service's base URL. */
export class ServiceRequestError extends ServiceError {
  override readonly name: string = 'ServiceRequestError'
  override readonly code: 'ERR_SERVICE_REQUEST' = 'ERR_SERVICE_REQUEST'

  constructor(call: CallInfo, problem: string, details: { cause?: unknown } = {}) {
    super(call, problem, { ...details, statusCode: 500 })
  }
}

/** Details of a response. The members are those of `ServiceResponseError`. */
export interface ResponseDetails {
  readonly status: number
  readonly data: unknown
  readonly headers: Headers
  readonly requestId?: string | undefined
  readonly cause?: unknown
  readonly statusCode?: number
}

/** The response is an error, a redirect, or not JSON although the caller asked for JSON. */
export class ServiceResponseError extends ServiceError {
  override readonly name: string = 'ServiceResponseError'
  override readonly code: 'ERR_SERVICE_RESPONSE' | 'ERR_SERVICE_AUTH' | 'ERR_SERVICE_THROTTLED' = 'ERR_SERVICE_RESPONSE'
  /** HTTP status of the response. */
  readonly status: number
  /** The response's body: parsed JSON, else text, else undefined. Credentials in it are redacted. */
  readonly data: unknown
  /** The response's headers, with credentials redacted. Not enumerable, so that logs do not print them by accident. */
  declare readonly headers: Headers

  constructor(call: CallInfo, problem: string, details: ResponseDetails) {
    const { status, data, headers, ...rest } = details
    super(call, problem, { statusCode: 502, ...rest })
    this.status = status
    this.data = data
    Object.defineProperty(this, 'headers', { value: headers })
  }
}

/**
 * Why a gateway rejected a request, from the error type, the message and the status of its response:
 * - `access-denied`: no policy allows the request, or a policy denies it
 * - `signature-mismatch`: the secret access key is wrong, or something changed the request on the way
 * - `signature-expired`, `signature-not-yet-current`: the signature's time is more than five minutes off the gateway's
 * - `invalid-token`: AWS does not know the access key or the session token
 * - `expired-token`: the session token has expired
 * - `missing-token`: the REST API has no such route, or the request arrived without a signature
 * - `wrong-scope`: signed for another region or another AWS service than the gateway's
 * - `forbidden`: a firewall, a missing API key, a wrong stage, or any rejection by an HTTP API
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
 */
export type AuthReason =
  | 'access-denied'
  | 'signature-mismatch'
  | 'signature-expired'
  | 'signature-not-yet-current'
  | 'invalid-token'
  | 'expired-token'
  | 'missing-token'
  | 'wrong-scope'
  | 'forbidden'

/** The gateway rejected the request. A 401 or 403 of the service itself is a `ServiceResponseError`. */
export class ServiceAuthError extends ServiceResponseError {
  override readonly name: string = 'ServiceAuthError'
  override readonly code: 'ERR_SERVICE_AUTH' = 'ERR_SERVICE_AUTH'
  /** Why the gateway rejected the request, for `switch` and metrics. */
  readonly reason: AuthReason
  /** What to do about it. The message contains it, too. */
  readonly hint: string

  constructor(call: CallInfo, problem: string, details: ResponseDetails & { reason: AuthReason; hint: string }) {
    const { reason, hint, ...rest } = details
    super(call, problem, rest)
    this.reason = reason
    this.hint = hint
  }
}

interface ThrottlingDetails {
  readonly retryAfterMs: number | undefined
  readonly quota: boolean
  readonly hint: string | undefined
}

/** Too many requests: for the gateway's rate limit, for a usage plan's quota, or for the service. */
export class ServiceThrottledError extends ServiceResponseError {
  override readonly name: string = 'ServiceThrottledError'
  override readonly code: 'ERR_SERVICE_THROTTLED' = 'ERR_SERVICE_THROTTLED'
  /**
   * Milliseconds that the response asks the client to wait. Absent where it does not ask.
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
   */
  declare readonly retryAfterMs?: number
  /** True if the quota of a usage plan is used up. Retries cannot succeed before its next period. */
  readonly quota: boolean
  /** What to do about it. The message contains it, too. Absent where the service itself limits the rate. */
  declare readonly hint?: string

  constructor(call: CallInfo, problem: string, details: ResponseDetails & ThrottlingDetails) {
    const { retryAfterMs, quota, hint, ...rest } = details
    super(call, problem, { ...rest, statusCode: 503 })
    this.quota = quota
    if (hint !== undefined) this.hint = hint
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs
  }
}

/** The circuit breaker sent nothing, because the service failed too often. */
export class CircuitOpenError extends ServiceError {
  override readonly name: string = 'CircuitOpenError'
  override readonly code: 'ERR_SERVICE_CIRCUIT_OPEN' = 'ERR_SERVICE_CIRCUIT_OPEN'
  /** Milliseconds until the next call may probe the service. While a call probes it, until that probe expires. */
  readonly retryAfterMs: number

  constructor(call: CallInfo, details: { retryAfterMs: number }) {
    const { retryAfterMs } = details
    super(call, `the circuit is open for another ${retryAfterMs} ms at most`, { statusCode: 503 })
    this.retryAfterMs = retryAfterMs
  }
}

/** No complete response: the connection failed, or it ended before the response did. */
export class ServiceNetworkError extends ServiceError {
  override readonly name: string = 'ServiceNetworkError'
  override readonly code: 'ERR_SERVICE_NETWORK' = 'ERR_SERVICE_NETWORK'
  /**
   * Error code of the operating system or of Node.js, such as `ECONNREFUSED` or `ECONNRESET`. `UNKNOWN` without one.
   */
  readonly networkCode: string
  /** True if no connection was made, so that the request cannot have run. */
  readonly neverConnected: boolean

  constructor(
    call: CallInfo,
    problem: string,
    details: { networkCode: string; neverConnected?: boolean; cause: unknown },
  ) {
    super(call, problem, { cause: details.cause, statusCode: 502 })
    this.networkCode = details.networkCode
    this.neverConnected = details.neverConnected ?? false
  }
}

/** No complete response in time. */
export class ServiceTimeoutError extends ServiceError {
  override readonly name: string = 'ServiceTimeoutError'
  override readonly code: 'ERR_SERVICE_TIMEOUT' = 'ERR_SERVICE_TIMEOUT'
  /**
   * The timeout in milliseconds: of the attempt or, for the deadline and for ky's `totalTimeout`, of the whole call. A
   * transport with its own timeout may have ended the attempt earlier.
   */
  readonly timeoutMs: number
  /** True if the deadline or the end of the invocation ended the call, false if a timeout of the call did. */
  readonly deadline: boolean

  constructor(call: CallInfo, problem: string, details: { timeoutMs: number; deadline: boolean }) {
    super(call, problem, { statusCode: 504 })
    this.timeoutMs = details.timeoutMs
    this.deadline = details.deadline
  }
}

/**
 * Options, environment variables or internal values are missing or invalid. The error lists every problem. It is thrown
 * by `signedServices()` and `createServices()` themselves, and by an invocation whose internal values are invalid.
 */
export class ServicesConfigurationError extends Error {
  /** Name of the class, also where a bundler renames the class. */
  override readonly name: string = 'ServicesConfigurationError'
  /** Stable: `ERR_SERVICES_CONFIG`. */
  readonly code: 'ERR_SERVICES_CONFIG' = 'ERR_SERVICES_CONFIG'
  /** One line for each problem. It starts with the name of the variable or option. */
  readonly problems: readonly string[]

  /** `advice` is added to the message if a variable is missing. */
  constructor(problems: readonly string[], advice?: string) {
    // Names of options and services are input, so they may contain control characters.
    const lines = problems.map(withoutControls)
    const list = lines.map((problem) => `\n  - ${problem}`).join('')
    const isVariableMissing = problems.some((problem) => problem.endsWith(`_URL: ${URL_NOT_SET}`))
    super(`The services cannot be configured:${list}${isVariableMissing && advice ? `\n${advice}` : ''}`)
    this.problems = lines
  }
}

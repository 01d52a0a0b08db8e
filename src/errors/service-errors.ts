import { withoutControls } from './redact.ts'

/** Codes of failed calls. */
export type ServiceErrorCode =
  | 'ERR_SERVICE_RESPONSE'
  | 'ERR_SERVICE_AUTH'
  | 'ERR_SERVICE_THROTTLED'
  | 'ERR_SERVICE_TIMEOUT'
  | 'ERR_SERVICE_NETWORK'
  | 'ERR_SERVICE_CIRCUIT_OPEN'
  | 'ERR_SERVICE_REQUEST'

/** Which call it is, and how often it was tried. */
export interface CallInfo {
  /** Name of the service, as in `context.services`. */
  readonly service: string
  /** HTTP method, in upper case. */
  readonly method: string
  /** Path below the service's base URL, without the query. */
  readonly path: string
  /** Requests that went out, retries included; 0 when the call was refused before sending. */
  readonly attempts: number
}

interface Details {
  readonly statusCode: number
  readonly cause?: unknown
  readonly requestId?: string | undefined
}

/**
 * Base of everything a call fails with, but for the caller's own abort reason and ky's `SchemaValidationError`.
 * `instanceof ServiceError` tells a failed call from any other mistake.
 */
export class ServiceError extends Error {
  /** The class, whatever a bundler makes of its name. */
  override readonly name: string = 'ServiceError'
  /** Stable, for `switch` and metrics. */
  declare readonly code: ServiceErrorCode
  /** Name of the service, as in `context.services`. */
  readonly service: string
  /** HTTP method, in upper case. */
  readonly method: string
  /** Path below the service's base URL, without the query. */
  readonly path: string
  /** Requests that went out, retries included; 0 when the call was refused before sending. */
  readonly attempts: number
  /** API Gateway's id of the answered request, to look up in its logs; absent where the answer names none. */
  declare readonly requestId?: string
  /** HTTP status that a handler that maps errors itself may answer; not that of the service's answer. */
  readonly statusCode: number
  /** Always false: the message is for the team's logs, not for the outside. */
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

/** The call was refused before anything was sent: bad input, no credentials, a target outside the service. */
export class ServiceRequestError extends ServiceError {
  override readonly name: string = 'ServiceRequestError'
  override readonly code: 'ERR_SERVICE_REQUEST' = 'ERR_SERVICE_REQUEST'

  constructor(call: CallInfo, problem: string, details: { cause?: unknown } = {}) {
    super(call, problem, { ...details, statusCode: 500 })
  }
}

/** What is told of an answer; the members are those of `ServiceResponseError`. */
export interface ResponseDetails {
  readonly status: number
  readonly data: unknown
  readonly headers: Headers
  readonly requestId?: string | undefined
  readonly cause?: unknown
  readonly statusCode?: number
}

/** The service answered, but not with success; also a redirect, and an answer that is not JSON where JSON was asked for. */
export class ServiceResponseError extends ServiceError {
  override readonly name: string = 'ServiceResponseError'
  override readonly code: 'ERR_SERVICE_RESPONSE' | 'ERR_SERVICE_AUTH' | 'ERR_SERVICE_THROTTLED' = 'ERR_SERVICE_RESPONSE'
  /** HTTP status of the answer. */
  readonly status: number
  /** The answer's body: parsed JSON, else text, else undefined. Credentials that it echoes are redacted. */
  readonly data: unknown
  /** The answer's headers, credentials redacted; not enumerable, so that no log prints them by accident. */
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
 * Why a gateway refused a call, told by its error type, its message and its status:
 * - `access-denied`: no policy allows the call, or one forbids it
 * - `signature-mismatch`: signed with another secret, or for another request
 * - `signature-expired`, `signature-not-yet-current`: signed more than five minutes off the gateway's clock
 * - `invalid-token`: access key or session token are not known
 * - `expired-token`: the session token has expired
 * - `missing-token`: a route that the REST API does not have, or a request without a signature
 * - `wrong-scope`: signed for a region or an AWS service that the gateway is not
 * - `forbidden`: a firewall, a missing API key, a wrong stage, or a refusal by an HTTP API
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

/** The gateway refused the call before it reached the service. A service's own 401 or 403 is a `ServiceResponseError`. */
export class ServiceAuthError extends ServiceResponseError {
  override readonly name: string = 'ServiceAuthError'
  override readonly code: 'ERR_SERVICE_AUTH' = 'ERR_SERVICE_AUTH'
  /** Why, for `switch` and metrics. */
  readonly reason: AuthReason
  /** What to do about it, for people: part of the message, too. */
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

/** Too many calls, for the gateway's rate, for a usage plan's quota, or for the service. */
export class ServiceThrottledError extends ServiceResponseError {
  override readonly name: string = 'ServiceThrottledError'
  override readonly code: 'ERR_SERVICE_THROTTLED' = 'ERR_SERVICE_THROTTLED'
  /**
   * Milliseconds that the answer asks to wait; absent where it does not ask.
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
   */
  declare readonly retryAfterMs?: number
  /** True where a usage plan's quota is used up: retries cannot succeed before it is renewed. */
  readonly quota: boolean
  /** What to do about it, for people: part of the message, too. Absent where the service itself asks for fewer calls. */
  declare readonly hint?: string

  constructor(call: CallInfo, problem: string, details: ResponseDetails & ThrottlingDetails) {
    const { retryAfterMs, quota, hint, ...rest } = details
    super(call, problem, { ...rest, statusCode: 503 })
    this.quota = quota
    if (hint !== undefined) this.hint = hint
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs
  }
}

/** The circuit breaker let nothing out: the service failed too often. */
export class CircuitOpenError extends ServiceError {
  override readonly name: string = 'CircuitOpenError'
  override readonly code: 'ERR_SERVICE_CIRCUIT_OPEN' = 'ERR_SERVICE_CIRCUIT_OPEN'
  /** Milliseconds until a call may probe the service; while one does, until it is given up. */
  readonly retryAfterMs: number

  constructor(call: CallInfo, details: { retryAfterMs: number }) {
    const { retryAfterMs } = details
    super(call, `the circuit is open for another ${retryAfterMs} ms at most`, { statusCode: 503 })
    this.retryAfterMs = retryAfterMs
  }
}

/** No answer: the connection failed, or the answer was cut off. */
export class ServiceNetworkError extends ServiceError {
  override readonly name: string = 'ServiceNetworkError'
  override readonly code: 'ERR_SERVICE_NETWORK' = 'ERR_SERVICE_NETWORK'
  /** The system's code or that of Node.js's client, such as `ECONNREFUSED` or `ECONNRESET`; `UNKNOWN` when there is none. */
  readonly networkCode: string
  /** True where no connection was made, so that the request cannot have run. */
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

/** No complete answer in time. */
export class ServiceTimeoutError extends ServiceError {
  override readonly name: string = 'ServiceTimeoutError'
  override readonly code: 'ERR_SERVICE_TIMEOUT' = 'ERR_SERVICE_TIMEOUT'
  /**
   * Milliseconds that were given, to the attempt or, by deadline and ky's `totalTimeout`, to the whole call; a transport
   * with a bound of its own may have given up sooner.
   */
  readonly timeoutMs: number
  /** True when the invocation's own end ended the call, false when `timeout` or another bound of the call did. */
  readonly deadline: boolean

  constructor(call: CallInfo, problem: string, details: { timeoutMs: number; deadline: boolean }) {
    super(call, problem, { statusCode: 504 })
    this.timeoutMs = details.timeoutMs
    this.deadline = details.deadline
  }
}

/**
 * The environment does not fit the options: thrown with every problem at once, by `signedServices()` itself when its module
 * loads, by `createServices()`, and by an invocation whose internal values do not fit.
 */
export class ServicesConfigurationError extends Error {
  /** The class, whatever a bundler makes of its name. */
  override readonly name: string = 'ServicesConfigurationError'
  /** Stable: `ERR_SERVICES_CONFIG`. */
  readonly code: 'ERR_SERVICES_CONFIG' = 'ERR_SERVICES_CONFIG'
  /** One line a problem, each starting with the variable or option it is about. */
  readonly problems: readonly string[]

  /** `advice` follows where a variable is missing. */
  constructor(problems: readonly string[], advice?: string) {
    // Names of options and services are somebody's input.
    const lines = problems.map(withoutControls)
    const list = lines.map((problem) => `\n  - ${problem}`).join('')
    const isVariableMissing = problems.some((problem) => problem.endsWith('_URL: API Gateway URL not set'))
    super(`The services cannot be configured:${list}${isVariableMissing && advice ? `\n${advice}` : ''}`)
    this.problems = lines
  }
}

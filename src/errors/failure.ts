import { HTTPError, KyError, SchemaValidationError } from 'ky'
import type { RejectedCall } from './hint.ts'
import { redactCause, redactData, redactHeaders, redactMessage, redactText, withoutControls } from './redact.ts'
import { classifyRejection, readRejectionText } from './rejection.ts'
import { readRetryAfter } from './retry-after.ts'
import {
  type CallInfo,
  type ResponseDetails,
  ServiceAuthError,
  ServiceError,
  ServiceNetworkError,
  ServiceRequestError,
  ServiceResponseError,
  ServiceThrottledError,
  ServiceTimeoutError,
} from './service-errors.ts'
import { messageOf, toShowable } from './thrown.ts'
import { readTransportError } from './transport-error.ts'
import { truncateText } from './truncate.ts'

/** The state of a call that its error is made from. */
export interface FailingCall extends CallInfo, RejectedCall {
  /** The signal that the caller passed in. */
  readonly callerSignal?: AbortSignal | undefined
  /** The signal of the call. Its abort reason is the error that the call ends with. */
  readonly signal: AbortSignal
  /** Timeout of an attempt, in milliseconds. */
  readonly timeout: number | false
  readonly lastResponse?: Response | undefined
}

/** Characters of a response that a message quotes at most. */
const MAX_DETAIL = 300

const NO_HINT = 'The hints of this package cannot be loaded.'

/** The module of hints, loaded with the first failed call: a cold start loads 90 KB instead of 94. */
let hints: typeof import('./hint.ts') | undefined

/** Loads the hints that `callFailure` needs for `thrown`. Without them, an error has no advice. */
export async function prepareFailure(thrown: unknown): Promise<void> {
  if (hints !== undefined || !(thrown instanceof HTTPError)) return
  try {
    hints = await import('./hint.ts')
  } catch {
    // Jest, for example, cannot import a module here if its transformer leaves `import()` as it is.
  }
}

/** The error of a failed attempt. `thrown` comes from the transport. `hasBegun`: the head of the response had arrived. */
export function attemptFailure(thrown: unknown, call: FailingCall, hasBegun: boolean): unknown {
  const error = toShowable(thrown)
  if (error instanceof ServiceError) return error
  const { code, message, neverConnected, neverSent, notAResponse, timedOut } = readTransportError(error)
  const networkCode = redactText(code, call.secrets)
  const reason = redactMessage(message, call.secrets)
  if (timedOut) {
    const timeoutMs = call.timeout || 0
    return new ServiceTimeoutError(call, `no complete response: ${reason}`, { timeoutMs, deadline: false })
  }
  const cause = redactCause(error, call.secrets)
  if (notAResponse) return new ServiceRequestError(call, reason, { cause })
  if (neverSent) return new ServiceRequestError(call, `cannot be sent: ${reason}`, { cause })
  const problem = `${hasBegun ? 'incomplete' : 'no'} response: ${networkCode}`
  const details = { networkCode, neverConnected, cause }
  return new ServiceNetworkError(call, reason ? `${problem}, ${reason}` : problem, details)
}

/**
 * What a caller gets for whatever ended its call: a `ServiceError`, or one of the two that pass through. To be called after
 * `prepareFailure`.
 */
export function callFailure(thrown: unknown, call: FailingCall): unknown {
  if (call.callerSignal?.aborted) return call.callerSignal.reason
  const error = toShowable(thrown)
  if (error instanceof ServiceError || error instanceof SchemaValidationError) return error
  if (error instanceof HTTPError) return httpError(call, error.response, error.data)
  if (call.signal.aborted) return call.signal.reason
  // Anything else was thrown by the caller's hooks, or by ky because of the caller's options.
  const cause = redactCause(error instanceof KyError ? error.cause : error, call.secrets)
  const problem = redactMessage(messageOf(error), call.secrets)
  if (call.lastResponse === undefined) return new ServiceRequestError(call, problem, { cause })
  return responseError(call, call.lastResponse, `${call.lastResponse.status}, then an error: ${problem}`, undefined, {
    cause,
  })
}

/** The error where a hook asks for a retry that the rules do not allow. It is the error of the last attempt. */
export function retryRefused(call: FailingCall, outcome: Response | Error): unknown {
  if (outcome instanceof Error) return outcome
  return responseError(call, outcome, `${outcome.status}, and the retry rules allow no retry`, undefined, {})
}

/** The error of a call that reached the invocation's deadline. The call had `budget` milliseconds. */
export function deadlineError(call: CallInfo, budget: number): ServiceTimeoutError {
  const timeoutMs = Math.max(0, Math.round(budget))
  const problem = timeoutMs === 0 ? 'not sent, no time left' : `no complete response within the ${timeoutMs} ms left`
  return new ServiceTimeoutError(call, `${problem} before the invocation's deadline`, { timeoutMs, deadline: true })
}

/** The error of a call that was pending when the handler ended. */
export function handlerEndedError(call: CallInfo): ServiceTimeoutError {
  const problem = call.attempts === 0 ? 'not sent because the handler has ended' : 'aborted because the handler ended'
  return new ServiceTimeoutError(call, problem, { timeoutMs: 0, deadline: true })
}

/** The error of a response without data for `timeoutMs` milliseconds. */
export function idleTimeoutError(call: CallInfo, timeoutMs: number): ServiceTimeoutError {
  return new ServiceTimeoutError(call, `no response data for ${timeoutMs} ms`, { timeoutMs, deadline: false })
}

export function timeoutError(call: CallInfo, timeoutMs: number): ServiceTimeoutError {
  return new ServiceTimeoutError(call, `no complete response within ${timeoutMs} ms`, { timeoutMs, deadline: false })
}

/** The error of a body that exceeds `maxResponseSize`. */
export function tooLargeError(call: FailingCall, response: Response, maxBytes: number): ServiceResponseError {
  const problem = `${response.status}, but the response body exceeds maxResponseSize (${maxBytes} bytes)`
  return responseError(call, response, problem, undefined, {})
}

/** The error of a response that is not JSON although the caller asked for JSON. */
export function notJsonError(
  call: FailingCall,
  response: Response,
  text: string,
  cause: unknown,
): ServiceResponseError {
  const data = redactText(truncateText(text, call.secrets), call.secrets)
  const problem = `${response.status}, but the response is not JSON: ${shorten(data)}`
  // The parser's message quotes the text, so it is dropped where the text contains a secret.
  return responseError(call, response, problem, data, data === text ? { cause: redactCause(cause, call.secrets) } : {})
}

function httpError(call: FailingCall, response: Response, body: unknown): ServiceResponseError {
  const { status, statusText, headers } = response
  const { type, message } = readRejectionText(headers, body, call.rejections)
  const location = status < 400 ? headers.get('location')?.split('?')[0] : undefined
  const detail = location === undefined ? message : `redirect to ${location} not followed`
  const parts = [`${status} ${type ?? statusText}`.trim(), shorten(redactText(detail, call.secrets))]
  const problem = redactMessage(parts.filter(Boolean).join(': '), call.secrets)
  const data = typeof body === 'string' ? truncateText(body, call.secrets) : body
  const details = describe(call, response, redactData(data, call.secrets))
  const rejection = classifyRejection(status, { type, message }, call.rejections)
  if (rejection === undefined) return new ServiceResponseError(call, problem, details)
  if (rejection === 'throttled' || rejection === 'quota') {
    const quota = rejection === 'quota'
    const hint = type === undefined ? undefined : hints?.throttlingHint(quota)
    const text = hint === undefined ? problem : `${problem}\n${hint}`
    return new ServiceThrottledError(call, text, { ...details, retryAfterMs: readRetryAfter(headers), quota, hint })
  }
  const hint = hints?.hintFor(rejection, call, message) ?? NO_HINT
  return new ServiceAuthError(call, `${problem}\n${hint}`, { ...details, reason: rejection, hint })
}

function responseError(
  call: FailingCall,
  response: Response,
  problem: string,
  data: unknown,
  details: { cause?: unknown },
): ServiceResponseError {
  return new ServiceResponseError(call, redactText(problem, call.secrets), {
    ...details,
    ...describe(call, response, data),
  })
}

function describe(call: FailingCall, { status, headers }: Response, data: unknown): ResponseDetails {
  const redacted = redactHeaders(headers, call.secrets)
  return { status, data, headers: redacted, requestId: requestIdOf(redacted) }
}

/** The request id that a REST API or an HTTP API sent. */
export function requestIdOf(headers: Headers | undefined): string | undefined {
  // A response that a hook made may have no headers.
  return headers?.get('x-amzn-requestid') ?? headers?.get('apigw-requestid') ?? undefined
}

function shorten(text: string): string {
  const line = withoutControls(text.trim().split('\n', 1)[0] as string)
  return line.length > MAX_DETAIL ? `${line.slice(0, MAX_DETAIL)}...` : line
}

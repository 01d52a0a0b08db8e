import { HTTPError, KyError, SchemaValidationError } from 'ky'
import { describeResponse, type FailingCall, shorten } from './failing-call.ts'
import { redactCause, redactMessage, redactText } from './redact.ts'
import {
  type CallInfo,
  ServiceError,
  ServiceNetworkError,
  ServiceRequestError,
  ServiceResponseError,
  ServiceTimeoutError,
} from './service-errors.ts'
import { messageOf, toShowable } from './thrown.ts'
import { readTransportError } from './transport-error.ts'
import { truncateText } from './truncate.ts'

/** Loaded with the first response that is not a success: a cold start loads 89 KB instead of 94. */
let httpErrors: typeof import('./http-error.ts') | undefined

/** Loads the module that `callFailure` needs for `thrown`. Undefined if it is loaded, or not needed. */
export function prepareFailure(thrown: unknown): Promise<void> | undefined {
  if (httpErrors !== undefined || !(thrown instanceof HTTPError)) return undefined
  return import('./http-error.ts').then((loaded) => {
    httpErrors = loaded
  })
}

/** The error of a failed attempt. `thrown` comes from the transport; `hasBegun` if the head of the response had arrived. */
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
  if (error instanceof HTTPError) {
    const { httpError } = httpErrors as NonNullable<typeof httpErrors>
    return httpError(call, error.response, error.data)
  }
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

function responseError(
  call: FailingCall,
  response: Response,
  problem: string,
  data: unknown,
  details: { cause?: unknown },
): ServiceResponseError {
  return new ServiceResponseError(call, redactText(problem, call.secrets), {
    ...details,
    ...describeResponse(call, response, data),
  })
}

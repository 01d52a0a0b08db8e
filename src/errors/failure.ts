import { HTTPError, KyError, SchemaValidationError } from 'ky'
import { cutText } from './cut.ts'
import type { Remedy } from './hint.ts'
import { redactCause, redactData, redactHeaders, redactMessage, redactText, withoutControls } from './redact.ts'
import { classifyRefusal, type RefusalRules, readRefusalText } from './refusal.ts'
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

/** What of a call decides which error its failure is. */
export interface FailingCall extends CallInfo {
  /** What must not be shown, wherever a response echoes it. */
  readonly secrets: ReadonlySet<string>
  /** The caller's own. */
  readonly callerSignal?: AbortSignal | undefined
  /** The call's; its reason is the error that the call ends with. */
  readonly signal: AbortSignal
  /** Milliseconds that an attempt may take. */
  readonly timeout: number | false
  readonly lastResponse?: Response | undefined
  /** What was signed last. */
  readonly canonicalRequest?: string
  /** Base URL of the service. */
  readonly url?: string | undefined
  /** What signatures are for. */
  readonly scope: { readonly region: string; readonly signingName: string }
  /** How the service's gateway refuses. */
  readonly refusals: RefusalRules
  /** What the call has tried before it gave up. */
  readonly tried: ReadonlySet<Remedy>
}

/** Longest part of a response's own words in a message. */
const MAX_DETAIL = 300

/** Longest hint: it quotes what the gateway says. */
const MAX_HINT = 4_000

/** The module of hints, once a response without success has needed it: 5 KB of 95 that no cold start loads. */
let hints: typeof import('./hint.ts') | undefined

/** Loads what `callFailure` needs for `thrown`; undefined where nothing is missing. */
export function prepareFailure(thrown: unknown): Promise<void> | undefined {
  if (hints !== undefined || !(thrown instanceof HTTPError)) return undefined
  return import('./hint.ts').then((loaded) => {
    hints = loaded
  })
}

/** Why an attempt gave no response: `thrown` is what its transport failed with. */
export function attemptFailure(thrown: unknown, call: FailingCall): unknown {
  const error = toShowable(thrown)
  if (error instanceof ServiceError) return error
  const { code, message, neverConnected, neverSent, notAResponse, timedOut } = readTransportError(error)
  const networkCode = redactText(code, call.secrets)
  const shown = redactMessage(message, call.secrets)
  if (timedOut) {
    const timeoutMs = call.timeout || 0
    return new ServiceTimeoutError(call, `no complete response: ${shown}`, { timeoutMs, deadline: false })
  }
  const cause = redactCause(error, call.secrets)
  if (notAResponse) return new ServiceRequestError(call, shown, { cause })
  if (neverSent) return new ServiceRequestError(call, `cannot be sent: ${shown}`, { cause })
  const problem = `no response: ${networkCode}`
  const details = { networkCode, neverConnected, cause }
  return new ServiceNetworkError(call, shown ? `${problem}, ${shown}` : problem, details)
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
  // What is left was thrown by the caller's own hooks, or by ky on the caller's options.
  const cause = redactCause(error instanceof KyError ? error.cause : error, call.secrets)
  const problem = redactMessage(messageOf(error), call.secrets)
  if (call.lastResponse === undefined) return new ServiceRequestError(call, problem, { cause })
  return responseError(call, call.lastResponse, `${call.lastResponse.status}, then an error: ${problem}`, undefined, {
    cause,
  })
}

/** The error of a retry that a hook asked for and the rules do not allow: the last attempt's own. */
export function retryRefused(call: FailingCall, outcome: Response | Error): unknown {
  if (outcome instanceof Error) return outcome
  return responseError(call, outcome, `${outcome.status}, and the retry rules allow no retry`, undefined, {})
}

/** The error of a call whose invocation has no time left for it; it had `budget` milliseconds. */
export function deadlineError(call: CallInfo, budget: number): ServiceTimeoutError {
  const timeoutMs = Math.max(0, Math.round(budget))
  const problem = timeoutMs === 0 ? 'not sent, no time left' : `no complete response within the ${timeoutMs} ms left`
  return new ServiceTimeoutError(call, `${problem} before the invocation's deadline`, { timeoutMs, deadline: true })
}

/** The error of a call that outlived its handler. */
export function handlerEndedError(call: CallInfo): ServiceTimeoutError {
  return new ServiceTimeoutError(call, 'aborted because the handler ended', { timeoutMs: 0, deadline: true })
}

/** The error of a response that sent nothing for `timeoutMs`. */
export function idleTimeoutError(call: CallInfo, timeoutMs: number): ServiceTimeoutError {
  return new ServiceTimeoutError(call, `no response data for ${timeoutMs} ms`, { timeoutMs, deadline: false })
}

export function timeoutError(call: CallInfo, timeoutMs: number): ServiceTimeoutError {
  return new ServiceTimeoutError(call, `no complete response within ${timeoutMs} ms`, { timeoutMs, deadline: false })
}

/** The error of a body that is larger than it may be. */
export function tooLargeError(call: FailingCall, response: Response, maxBytes: number): ServiceResponseError {
  const problem = `${response.status}, but the response body exceeds maxResponseSize (${maxBytes} bytes)`
  return responseError(call, response, problem, undefined, {})
}

/** The error of an answer that is not JSON where JSON was asked for. */
export function notJsonError(
  call: FailingCall,
  response: Response,
  text: string,
  cause: unknown,
): ServiceResponseError {
  const data = redactText(cutText(text, call.secrets), call.secrets)
  const problem = `${response.status}, but the response is not JSON: ${shorten(data)}`
  // A parser's message quotes what it could not read.
  return responseError(call, response, problem, data, data === text ? { cause: redactCause(cause, call.secrets) } : {})
}

function httpError(call: FailingCall, response: Response, answer: unknown): ServiceResponseError {
  const { status, statusText, headers } = response
  const { type, message } = readRefusalText(headers, answer, call.refusals)
  const location = status < 400 ? headers.get('location')?.split('?')[0] : undefined
  const detail = location === undefined ? message : `redirect to ${location} not followed`
  const words = [`${status} ${type ?? statusText}`.trim(), shorten(redactText(detail, call.secrets))]
  const problem = redactMessage(words.filter(Boolean).join(': '), call.secrets)
  const data = typeof answer === 'string' ? cutText(answer, call.secrets) : answer
  const details = describe(call, response, redactData(data, call.secrets))
  const refusal = classifyRefusal(status, { type, message }, call.refusals)
  if (refusal === undefined) return new ServiceResponseError(call, problem, details)
  const { hintFor, throttlingHint } = hints as NonNullable<typeof hints>
  if (refusal === 'throttled' || refusal === 'quota') {
    const quota = refusal === 'quota'
    const hint = type === undefined ? undefined : throttlingHint(quota)
    const told = hint === undefined ? problem : `${problem}\n${hint}`
    return new ServiceThrottledError(call, told, { ...details, retryAfterMs: readRetryAfter(headers), quota, hint })
  }
  const hint = showHint(hintFor(refusal, call, message), call.secrets)
  return new ServiceAuthError(call, `${problem}\n${hint}`, { ...details, reason: refusal, hint })
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
  const shown = redactHeaders(headers, call.secrets)
  return { status, data, headers: shown, requestId: requestIdOf(shown) }
}

/** What REST APIs and HTTP APIs call a request. */
export function requestIdOf(headers: Headers | undefined): string | undefined {
  // A hook's own response may have none.
  return headers?.get('x-amzn-requestid') ?? headers?.get('apigw-requestid') ?? undefined
}

function showHint(hint: string, secrets: ReadonlySet<string>): string {
  const shown = redactText(hint, secrets).split('\n').map(withoutControls).join('\n')
  return shown.length > MAX_HINT ? `${shown.slice(0, MAX_HINT)}...` : shown
}

function shorten(text: string): string {
  const line = withoutControls(text.trim().split('\n', 1)[0] as string)
  return line.length > MAX_DETAIL ? `${line.slice(0, MAX_DETAIL)}...` : line
}

import type { RejectedCall } from './hint.ts'
import { redactHeaders, withoutControls } from './redact.ts'
import type { CallInfo, ResponseDetails } from './service-errors.ts'

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

/** The members of an error that describe its response, without secrets. */
export function describeResponse(call: FailingCall, { status, headers }: Response, data: unknown): ResponseDetails {
  const redacted = redactHeaders(headers, call.secrets)
  return { status, data, headers: redacted, requestId: requestIdOf(redacted) }
}

/** The request id that a REST API or an HTTP API sent. */
export function requestIdOf(headers: Headers | undefined): string | undefined {
  // A response that a hook made may have no headers.
  return headers?.get('x-amzn-requestid') ?? headers?.get('apigw-requestid') ?? undefined
}

/** The first line of a text, cut to the length that a message may quote. */
export function shorten(text: string): string {
  const line = withoutControls(text.trim().split('\n', 1)[0] as string)
  return line.length > MAX_DETAIL ? `${line.slice(0, MAX_DETAIL)}...` : line
}

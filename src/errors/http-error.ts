import { describeResponse, type FailingCall, shorten } from './failing-call.ts'
import { hintFor, throttlingHint } from './hint.ts'
import { redactData, redactMessage, redactText, withoutControls } from './redact.ts'
import { classifyRejection, readRejectionText } from './rejection.ts'
import { readRetryAfter } from './retry-after.ts'
import { ServiceAuthError, ServiceResponseError, ServiceThrottledError } from './service-errors.ts'
import { truncateText } from './truncate.ts'

/** Characters of a hint at most: it quotes the gateway's message. */
const MAX_HINT = 4_000

/** The error of a response whose status is not a success. `body` is parsed JSON, or text. */
export function httpError(call: FailingCall, response: Response, body: unknown): ServiceResponseError {
  const { status, statusText, headers } = response
  const { type, message } = readRejectionText(headers, body, call.rejections)
  const location = status < 400 ? headers.get('location')?.split('?')[0] : undefined
  const detail = location === undefined ? message : `redirect to ${location} not followed`
  const parts = [`${status} ${type ?? statusText}`.trim(), shorten(redactText(detail, call.secrets))]
  const problem = redactMessage(parts.filter(Boolean).join(': '), call.secrets)
  const data = typeof body === 'string' ? truncateText(body, call.secrets) : body
  const details = describeResponse(call, response, redactData(data, call.secrets))
  const rejection = classifyRejection(status, { type, message }, call.rejections)
  if (rejection === undefined) return new ServiceResponseError(call, problem, details)
  if (rejection === 'throttled' || rejection === 'quota') {
    const quota = rejection === 'quota'
    const hint = type === undefined ? undefined : throttlingHint(quota)
    const text = hint === undefined ? problem : `${problem}\n${hint}`
    return new ServiceThrottledError(call, text, { ...details, retryAfterMs: readRetryAfter(headers), quota, hint })
  }
  const hint = redactHint(hintFor(rejection, call, message), call.secrets)
  return new ServiceAuthError(call, `${problem}\n${hint}`, { ...details, reason: rejection, hint })
}

function redactHint(hint: string, secrets: ReadonlySet<string>): string {
  const redacted = redactText(hint, secrets).split('\n').map(withoutControls).join('\n')
  return redacted.length > MAX_HINT ? `${redacted.slice(0, MAX_HINT)}...` : redacted
}

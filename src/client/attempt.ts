import { type BaseUrl, outsideBase } from '../config/base-url.ts'
import { attemptFailure, deadlineError, isRefusedByTransport, retryRefused } from '../errors/failure.ts'
import { ServiceRequestError } from '../errors/service-errors.ts'
import type { Outgoing } from '../signing/request-body.ts'
import { follow, toAbortSignal, unlessAborted } from './abort.ts'
import type { AttemptRequest } from './retry-policy.ts'
import type { Bounds, Call, ServiceRuntime } from './service-call.ts'
import { TRACE_HEADER } from './trace.ts'
import { watchResponse } from './watched-response.ts'

/**
 * Sends one attempt of a call within its bounds, whoever made the request: checks that it goes to the service and may
 * go out at all, adds the trace, and gives headers and body together the time they have. Resolves for every status.
 */
export async function sendAttempt(
  { send, breaker }: ServiceRuntime,
  base: BaseUrl,
  call: Call,
  bounds: Bounds,
  outgoing: Outgoing,
): Promise<Response> {
  const { method, url, headers } = outgoing
  const attempt = { method, idempotencyKey: headers.get(IDEMPOTENCY_KEY) }
  admit(call, base, url, attempt)
  call.permit ??= breaker?.acquire(call)
  if (call.trace !== undefined && !headers.has(TRACE_HEADER)) headers.set(TRACE_HEADER, call.trace)

  const limit = follow([bounds.signal, outgoing.signal])
  const release = bounds.hold()
  let timedOut: number | undefined
  const { timeout } = call
  const expire = () => {
    timedOut = timeout as number
    limit.signal.abort()
  }
  const timer = timeout === false ? undefined : setTimeout(expire, timeout)
  const end = () => {
    clearTimeout(timer)
    limit.stop()
    release()
  }
  const toFailure = (error: unknown) => {
    end()
    return attemptFailure(error, call, timedOut)
  }
  try {
    const response = await unlessAborted(send({ ...outgoing, signal: toAbortSignal(limit.signal) }, call), limit.signal)
    call.lastAttempt = { ...attempt, outcome: response }
    call.lastResponse = response
    // An answer that nobody reads must not keep the process alive.
    timer?.unref()
    const { body, ended } = watchResponse(response, { signal: limit.signal, end, toFailure })
    call.bodyEnd = ended
    return body
  } catch (error) {
    if (isRefusedByTransport(error)) call.attempts -= 1
    const failure = toFailure(error)
    call.lastAttempt = { ...attempt, outcome: failure as Error }
    throw failure
  }
}

/** Refuses what must not go out, wherever it comes from: hooks can put another request in the place of ours. */
function admit(call: Call, base: BaseUrl, url: URL, attempt: AttemptRequest): void {
  call.method = attempt.method
  // Checked before, unless a hook has changed it.
  // Stryker disable next-line ConditionalExpression: checked each time, the same comes of it.
  if (url.pathname !== call.pathname || url.origin !== base.origin) {
    const outside = outsideBase(base, url)
    if (outside !== undefined) throw new ServiceRequestError(call, outside)
    call.path = url.pathname.slice(base.path.length) || '/'
  }
  const { lastAttempt } = call
  // Stryker disable next-line OptionalChaining: only `.fetch` has no rules, and it has no second attempt.
  if (lastAttempt !== undefined && !call.retry?.allow(attempt, lastAttempt)) {
    throw retryRefused(call, lastAttempt)
  }
  if (call.deadline !== undefined && call.deadline.remaining() <= 0) throw deadlineError(call)
}

/** Header by which a service knows a request that it has seen before. */
const IDEMPOTENCY_KEY = 'idempotency-key'

import { follow, unlessAborted } from './abort.ts'
import { type BaseUrl, outsideBase } from './base-url.ts'
import type { Bounds, Call, ServiceRuntime } from './call.ts'
import { ServiceRequestError } from './errors.ts'
import { attemptFailure, deadlineError, isRefusedByTransport, retryRefused } from './failure.ts'
import type { AttemptRequest } from './retry.ts'
import { TRACE_HEADER } from './trace.ts'

/**
 * Sends one attempt of a call within its bounds, whoever made the request: checks that it goes to the service and may
 * go out at all, adds the trace, and gives headers and body together the time they have. Resolves for every status.
 */
export async function sendAttempt(
  { send, breaker }: ServiceRuntime,
  base: BaseUrl,
  call: Call,
  bounds: Bounds,
  request: Request,
  init?: RequestInit,
): Promise<Response> {
  const attempt = { method: request.method, idempotencyKey: request.headers.get(IDEMPOTENCY_KEY) }
  admit(call, base, request, attempt)
  call.permit ??= breaker?.acquire(call)
  if (call.trace !== undefined && !request.headers.has(TRACE_HEADER)) request.headers.set(TRACE_HEADER, call.trace)

  const limit = follow([bounds.signal, request.signal])
  const release = bounds.hold()
  let timedOut: number | undefined
  const { timeout } = call
  const expire = () => {
    timedOut = timeout as number
    limit.abort()
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
    const response = await unlessAborted(send(request, call, { ...init, signal: limit.signal }), limit.signal)
    call.lastAttempt = { ...attempt, outcome: response }
    call.lastResponse = response
    // An answer that nobody reads must not keep the process alive.
    timer?.unref()
    const { body, ended } = watchBody(response, limit.signal, end, toFailure)
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
function admit(call: Call, base: BaseUrl, request: Request, attempt: AttemptRequest): void {
  const url = new URL(request.url)
  call.method = request.method
  const outside = outsideBase(base, url)
  if (outside !== undefined) throw new ServiceRequestError(call, outside)
  call.path = url.pathname.slice(base.path.length) || '/'
  const { lastAttempt } = call
  if (lastAttempt !== undefined && !call.retry?.allow(attempt, lastAttempt)) {
    throw retryRefused(call, lastAttempt)
  }
  if (call.deadline !== undefined && call.deadline.remaining() <= 0) throw deadlineError(call)
}

/** Header by which a service knows a request that it has seen before. */
const IDEMPOTENCY_KEY = 'idempotency-key'

/** Bytes of an answer that are read before anybody asks for them. */
const READ_AHEAD = 65_536

/** The same response, with a body that fails with the call's own error; `ended` resolves with what it failed with. */
function watchBody(
  response: Response,
  signal: AbortSignal,
  end: () => void,
  toFailure: (error: unknown) => unknown,
): { readonly body: Response; readonly ended: Promise<unknown> } {
  if (response.body === null) {
    end()
    return { body: response, ended: Promise.resolve() }
  }
  const { promise: ended, resolve: tell } = Promise.withResolvers<unknown>()
  const reader = response.body.getReader()
  let abort!: () => void
  let isReading = false
  const finish = () => {
    signal.removeEventListener('abort', abort)
    end()
    tell(undefined)
  }
  const fail = (controller: ReadableStreamDefaultController, error: unknown) => {
    signal.removeEventListener('abort', abort)
    const failure = toFailure(error)
    // What nobody waits for has not failed anybody.
    tell(isReading ? failure : undefined)
    controller.error(failure)
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        abort = () => {
          fail(controller, signal.reason)
          reader.cancel(signal.reason).catch(() => {})
        }
        signal.addEventListener('abort', abort)
      },
      async pull(controller) {
        try {
          isReading = true
          const { done, value } = await reader.read()
          isReading = false
          // Too late: the stream has failed already.
          if (signal.aborted) return
          if (!done) return controller.enqueue(value)
          finish()
          controller.close()
        } catch (error) {
          if (!signal.aborted) fail(controller, error)
        }
      },
      cancel(reason) {
        finish()
        return reader.cancel(reason)
      },
    },
    // Read ahead, so that a small answer which nobody reads has ended all the same, and with it the call.
    new ByteLengthQueuingStrategy({ highWaterMark: READ_AHEAD }),
  )
  const { status, statusText, headers, url } = response
  return { body: withUrl(new Response(body, { status, statusText, headers }), url), ended }
}

/** A Response that is made by hand has no URL, and neither have its clones. */
function withUrl(response: Response, url: string): Response {
  return Object.defineProperties(response, {
    url: { value: url },
    clone: { value: () => withUrl(Response.prototype.clone.call(response), url) },
  })
}

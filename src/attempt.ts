import { follow, unlessAborted } from './abort.ts'
import { type BaseUrl, outsideBase } from './base-url.ts'
import type { Bounds, Call } from './call.ts'
import { ServiceRequestError } from './errors.ts'
import { attemptFailure, deadlineError, isRefusedByTransport, retryRefused } from './failure.ts'
import type { SendSigned } from './signed-fetch.ts'
import { TRACE_HEADER } from './trace.ts'

/**
 * Sends one attempt of a call within its bounds, whoever made the request: checks that it goes to the service and may
 * go out at all, adds the trace, and gives headers and body together the time they have. Resolves for every status.
 */
export async function sendAttempt(
  send: SendSigned,
  base: BaseUrl,
  call: Call,
  bounds: Bounds,
  request: Request,
  init?: RequestInit,
): Promise<Response> {
  admit(call, base, request)
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
    call.outcome = response.status
    call.lastResponse = response
    // An answer that nobody reads must not keep the process alive.
    timer?.unref()
    return watchBody(response, limit.signal, end, toFailure)
  } catch (error) {
    if (isRefusedByTransport(error)) call.attempts -= 1
    const failure = toFailure(error)
    call.outcome = failure as Error
    throw failure
  }
}

/** Refuses what must not go out, wherever it comes from: hooks can put another request in the place of ours. */
function admit(call: Call, base: BaseUrl, request: Request): void {
  const url = new URL(request.url)
  call.method = request.method
  const outside = outsideBase(base, url)
  if (outside !== undefined) throw new ServiceRequestError(call, outside)
  call.path = url.pathname.slice(base.path.length) || '/'
  if (call.outcome !== undefined) {
    call.retries += 1
    if (!call.retry?.allow(request.method, call.outcome, call.retries)) throw retryRefused(call)
  }
  if (call.deadline !== undefined && call.deadline.remaining() <= 0) throw deadlineError(call)
}

/** The same response, with a body that tells when it has ended and that fails with the call's own error. */
function watchBody(
  response: Response,
  signal: AbortSignal,
  end: () => void,
  toFailure: (error: unknown) => unknown,
): Response {
  if (response.body === null) {
    end()
    return response
  }
  const reader = response.body.getReader()
  let abort!: () => void
  const finish = () => {
    signal.removeEventListener('abort', abort)
    end()
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        abort = () => {
          controller.error(toFailure(signal.reason))
          reader.cancel(signal.reason).catch(() => {})
        }
        signal.addEventListener('abort', abort, { once: true })
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          // Too late: the stream has failed already.
          if (signal.aborted) return
          if (!done) return controller.enqueue(value)
          finish()
          controller.close()
        } catch (error) {
          if (signal.aborted) return
          signal.removeEventListener('abort', abort)
          controller.error(toFailure(error))
        }
      },
      cancel(reason) {
        finish()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  const { status, statusText, headers, url } = response
  return withUrl(new Response(body, { status, statusText, headers }), url)
}

/** A Response that is made by hand has no URL, and neither have its clones. */
function withUrl(response: Response, url: string): Response {
  return Object.defineProperties(response, {
    url: { value: url },
    clone: { value: () => withUrl(Response.prototype.clone.call(response), url) },
  })
}

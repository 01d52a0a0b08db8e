import { type BaseUrl, outsideBase } from './base-url.ts'
import { ServiceRequestError } from './errors.ts'
import { attemptFailure, deadlineError, type FailingCall } from './failure.ts'
import type { SendSigned } from './signed-fetch.ts'
import { TRACE_HEADER } from './trace.ts'

/** One call of a client: its retries are attempts of the same call. */
export interface Call extends FailingCall {
  attempts: number
  readonly secrets: Set<string>
  /** Milliseconds an attempt may take; false: only the deadline bounds it. */
  readonly timeout: number | false
  readonly trace: string | undefined
  lastResponse?: Response
}

/**
 * Sends one attempt of a call within its bounds, whoever made the request: checks that it goes to the service, adds the
 * trace, and gives headers and body together the time they have. Resolves for every status.
 */
export async function sendAttempt(
  send: SendSigned,
  base: BaseUrl,
  call: Call,
  request: Request,
  init?: RequestInit,
): Promise<Response> {
  const outside = outsideBase(base, new URL(request.url))
  if (outside !== undefined) throw new ServiceRequestError(call, outside)
  if (call.deadline !== undefined && call.deadline.remaining() <= 0) throw deadlineError(call)
  if (call.trace !== undefined && !request.headers.has(TRACE_HEADER)) request.headers.set(TRACE_HEADER, call.trace)

  const limit = new AbortController()
  const timer = call.timeout === false ? undefined : setTimeout(() => limit.abort(), call.timeout)
  const signals = [request.signal, limit.signal, ...(call.deadline ? [call.deadline.signal] : [])]
  const signal = AbortSignal.any(signals)
  const end = () => clearTimeout(timer)
  const toFailure = (error: unknown) => {
    end()
    return attemptFailure(error, call, limit.signal.aborted ? (call.timeout as number) : undefined)
  }
  try {
    const response = await unlessAborted(send(request, call, { ...init, signal }), signal)
    call.lastResponse = response
    // A body that nobody reads must not keep the process alive.
    timer?.unref()
    return watchBody(response, end, toFailure)
  } catch (error) {
    throw toFailure(error)
  }
}

/** Credentials or a body stream that never come must not hold up the caller; the signal keeps them from being sent. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** The same response, with a body that tells when it has ended and fails with the call's own error. */
function watchBody(response: Response, end: () => void, toFailure: (error: unknown) => unknown): Response {
  if (response.body === null) {
    end()
    return response
  }
  const reader = response.body.getReader()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (!done) return controller.enqueue(value)
          end()
          controller.close()
        } catch (error) {
          controller.error(toFailure(error))
        }
      },
      cancel(reason) {
        end()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
  const { status, statusText, headers, url } = response
  return Object.defineProperty(new Response(body, { status, statusText, headers }), 'url', { value: url })
}

import { Readable } from 'node:stream'
import { NOT_A_RESPONSE, toShowable } from '../errors/index.ts'
import type { SendOptions, WireRequest } from './node-transport.ts'
import { ReceivedResponse } from './received-response.ts'
import { unlessAborted } from './unless-aborted.ts'

export type Fetch = typeof globalThis.fetch

/**
 * Sends a request with a `fetch`, and ends its response with the signal: not every `fetch` supports signals. `init` has
 * further options for the `fetch`.
 */
export async function sendByFetch(
  fetch: Fetch,
  { method, url, headers, body, text }: WireRequest,
  { signal, ...limits }: SendOptions,
  init: RequestInit | undefined,
): Promise<ReceivedResponse> {
  signal.throwIfAborted()
  // The URL as a string: aws-xray-sdk-fetch ignores `init` if it gets a Request.
  const returned = fetch(url.href, {
    ...init,
    method,
    headers: new Headers(headers),
    body: text ?? body ?? null,
    redirect: 'manual',
    signal,
  })
  const response = checkResponse(await unlessAborted(Promise.resolve(returned), signal))
  const { status, statusText } = response
  const given = response.headers
  const head = {
    status,
    statusText,
    headers: given instanceof Headers ? given : new Headers(given),
    url: response.url || url.href,
  }
  const source = response.body == null ? null : toReadable(response.body, signal)
  return new ReceivedResponse(head, source, limits)
}

/** Checks a response of any library or realm. Its body must be unread. */
function checkResponse(response: unknown): Response {
  const { status, headers, body, bodyUsed } = Object(response) as Partial<Response>
  const isHead = typeof status === 'number' && typeof headers === 'object' && headers !== null
  const isBody = body === null || (typeof body === 'object' && ('getReader' in body || 'pipe' in body))
  if (!isHead || !isBody) throw notAResponse('fetch returned something other than a Response')
  if (bodyUsed || body?.locked) throw notAResponse('fetch returned a Response whose body has already been read')
  return response as Response
}

function notAResponse(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: NOT_A_RESPONSE })
}

/** Converts the body to a stream that ends with the signal, also if the `fetch` ignores the signal. */
function toReadable(body: ReadableStream<Uint8Array> | Readable, signal: AbortSignal): Readable {
  // node-fetch returns a Node.js stream.
  const reader = ('getReader' in body ? body : Readable.toWeb(body)).getReader()
  const fail = (error: unknown) => source.destroy(toShowable(error) as Error)
  const abort = () => fail(signal.reason)
  const source = new Readable({
    read() {
      reader.read().then(({ done, value }) => source.push(done ? null : value), fail)
    },
    destroy(error, callback) {
      signal.removeEventListener('abort', abort)
      reader.cancel(error).catch(() => {})
      callback(error)
    },
  })
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  return source
}

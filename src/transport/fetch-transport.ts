import { Readable } from 'node:stream'
import { NOT_A_RESPONSE, toShowable } from '../errors/index.ts'
import type { SendOptions, WireRequest } from './node-transport.ts'
import { ReceivedResponse } from './received-response.ts'

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
  signal.addEventListener('abort', abort, { once: true })
  return source
}

/** Settles like `promise`, or rejects with the signal's reason if the signal aborts first. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Keys of the global dispatcher of the built-in `fetch`. Each version of undici reads one of them. */
const DISPATCHERS = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')] as const

const globals: typeof globalThis & Record<symbol, object | undefined> = globalThis as never

/** The built-in `fetch` sets the dispatchers when it loads. The import of `ReceivedResponse` has loaded it. */
const initialDispatchers = DISPATCHERS.map((symbol) => globals[symbol])

/** Whether the built-in `fetch` uses its own default agent. */
function hasPlainDispatcher(): boolean {
  return DISPATCHERS.every((symbol) => {
    const dispatcher = globals[symbol]
    const type = dispatcher?.constructor.name
    // undici 8 wraps the second dispatcher for older versions, and creates a new wrapper each time it is set.
    if (dispatcher === undefined || type === 'Dispatcher1Wrapper') return true
    return type === 'Agent' && initialDispatchers.includes(dispatcher)
  })
}

let lastFetch: Fetch | undefined
let isBuiltIn = false

/**
 * Returns global `fetch` if it has been replaced (by a mock or a tracer), or if it has another dispatcher (a mock or a
 * proxy). Returns undefined for the unchanged `fetch` of Node.js. In doubt, `fetch` counts as replaced.
 */
export function replacedFetch(): Fetch | undefined {
  const { fetch } = globalThis
  if (fetch !== lastFetch) {
    lastFetch = fetch
    // Node.js's own function loads Node.js's undici. No documented API detects it.
    isBuiltIn = String(fetch).includes('internal/deps/undici/undici')
  }
  return isBuiltIn && hasPlainDispatcher() ? undefined : fetch
}

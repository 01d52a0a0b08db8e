/** A request before it is signed. */
export interface UnsignedRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  /** The body's bytes, or the Request with the body. */
  readonly body: Uint8Array<ArrayBuffer> | Request | undefined
  /** A text body as the caller passed it, for a `fetch`. */
  readonly text?: string | undefined
  /** Further options for a `fetch`. */
  readonly init?: RequestInit | undefined
}

/** A body as bytes, with the content type that `fetch` would set. */
export interface PlainBody {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly text?: string | undefined
  readonly contentType: string | undefined
}

/** Members of `RequestInit` that this module reads itself. `Request` reads all others. */
const PLAIN_MEMBERS: readonly string[] = ['method', 'headers', 'body', 'signal']

/** Methods that `Request` neither changes nor rejects. */
const PLAIN_METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/**
 * Encodes a text, or copies bytes, which the caller may change later. Undefined for a body that only `Request` can
 * encode.
 */
export function toPlainBody(body: unknown, contentType?: string): PlainBody | undefined {
  if (typeof body === 'string') {
    return { bytes: new TextEncoder().encode(body), text: body, contentType: contentType ?? 'text/plain;charset=UTF-8' }
  }
  return body instanceof Uint8Array ? { bytes: new Uint8Array(body), contentType } : undefined
}

/**
 * Reads the request that `fetch(target, init)` would send.
 * @throws TypeError for the same inputs as `fetch`
 */
export function readRequest(target: URL | Request, init: RequestInit = {}): UnsignedRequest {
  // No Request here: it turns the body into a stream, which costs about a fifth of an unsigned `fetch`.
  if (isPlain(target, init)) {
    const { method = 'GET', headers, body } = init
    return withBody({ method, url: target, headers: new Headers(headers), body: undefined }, toPlainBody(body))
  }
  // Without the signal, which the call follows itself: a garbage-collected Request no longer follows it.
  const request = init instanceof Request ? new Request(target, init) : target
  return fromRequest(new Request(request, init instanceof Request ? { signal: null } : { ...init, signal: null }), init)
}

function isPlain(target: URL | Request, init: RequestInit): target is URL {
  const { method = 'GET', body } = init
  const canHaveBody = method !== 'GET' && method !== 'HEAD'
  return (
    target instanceof URL &&
    target.username === '' &&
    target.password === '' &&
    !(init instanceof Request) &&
    Object.keys(init).every((name) => PLAIN_MEMBERS.includes(name)) &&
    PLAIN_METHODS.includes(method) &&
    (body == null || (canHaveBody && (typeof body === 'string' || body instanceof Uint8Array)))
  )
}

/** Reads a `Request`. Its body is `plain` if that is set. */
export function fromRequest(request: Request, init?: RequestInit, plain?: PlainBody): UnsignedRequest {
  const { method, headers, integrity } = request
  const unsigned: UnsignedRequest = {
    method,
    url: new URL(request.url),
    headers,
    body: request.body === null ? undefined : request,
    init: integrity === '' ? init : { ...init, integrity },
  }
  return withBody(unsigned, plain)
}

function withBody(request: UnsignedRequest, plain: PlainBody | undefined): UnsignedRequest {
  if (plain === undefined) return request
  const { bytes, text, contentType } = plain
  if (contentType !== undefined && !request.headers.has('content-type'))
    request.headers.set('content-type', contentType)
  return { ...request, body: bytes, text }
}

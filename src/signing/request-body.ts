import { sha256Hex } from './sha256.ts'

/** Bytes from which on a copy of a body is kept as a `Blob`, of which `fetch` makes no further one. */
const LARGE = 262_144

/** A body that is text, bytes, or the copy of many bytes. */
export type Payload = string | Uint8Array<ArrayBuffer> | Copied

/** Many bytes, with their SHA-256 in hexadecimal, taken before anybody can change them. */
export interface Copied {
  readonly blob: Blob
  readonly hash: string
}

/** A request before it is signed. */
export interface Outgoing {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  /** The body itself, or the Request that holds it. */
  readonly body: Payload | Request | undefined
  /** What ends it, where it comes with a signal of its own. */
  readonly signal?: AbortSignal | undefined
  /** What else `fetch` is to know. */
  readonly init?: RequestInit | undefined
}

/** A body that need not go through a Request, which is costly and would make a stream of it. */
export interface PlainBody {
  readonly payload: Payload
  /** What `fetch` would call it, where the caller says nothing. */
  readonly contentType: string | undefined
}

/** Members of `RequestInit` that need no Request to be understood. */
export const PLAIN_MEMBERS: readonly string[] = ['method', 'headers', 'body', 'signal']

/** Methods that go out as they are written. */
const PLAIN_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Text, and bytes, of which a copy is kept; undefined for bodies that only `fetch` knows how to write. */
export function toPlainBody(body: unknown, contentType?: string): PlainBody | undefined {
  if (typeof body === 'string') return { payload: body, contentType: contentType ?? 'text/plain;charset=UTF-8' }
  if (!(body instanceof Uint8Array)) return undefined
  const bytes = body as Uint8Array<ArrayBuffer>
  const payload = bytes.length < LARGE ? new Uint8Array(bytes) : { blob: new Blob([bytes]), hash: sha256Hex(bytes) }
  return { payload, contentType }
}

/**
 * What `fetch(target, init)` would send.
 * @throws TypeError where `fetch` would
 */
export function readOutgoing(target: URL | Request, init: RequestInit = {}): Outgoing {
  if (!isPlainRequest(target, init)) return fromRequest(toRequest(target, init), init)
  const { method = 'GET', headers, body } = init
  return withBody({ method, url: target, headers: new Headers(headers), body: undefined }, toPlainBody(body))
}

/** Whether `fetch(target, init)` sends what stands there, and nothing that only a Request knows how to make. */
export function isPlainRequest(
  target: unknown,
  init: RequestInit,
  members: readonly string[] = PLAIN_MEMBERS,
): target is URL {
  const { method = 'GET', body } = init
  const hasBody = typeof body === 'string' || body instanceof Uint8Array
  return (
    target instanceof URL &&
    !(init instanceof Request) &&
    target.username === '' &&
    target.password === '' &&
    Object.keys(init).every((name) => members.includes(name)) &&
    PLAIN_METHODS.includes(method) &&
    (hasBody ? method !== 'GET' && method !== 'HEAD' : body == null)
  )
}

/** Without the signal, which the bounds follow: a Request would not let go of it. */
function toRequest(target: URL | Request, init: RequestInit): Request {
  // Its members are its class's, of which a copy has none.
  // Stryker disable next-line ConditionalExpression,ObjectLiteral: other ways to the same Request, at a higher cost.
  if (init instanceof Request) return new Request(new Request(target, init), { signal: null })
  return new Request(target, { ...init, signal: null })
}

/** What a Request would send; `init` is for what it does not hold. */
export function fromRequest(request: Request, init?: RequestInit, plain?: PlainBody): Outgoing {
  const { method, headers, integrity } = request
  const outgoing: Outgoing = {
    method,
    url: new URL(request.url),
    headers,
    body: request.body === null ? undefined : request,
    init: integrity === '' ? init : { ...init, integrity },
  }
  return withBody(outgoing, plain)
}

function withBody(outgoing: Outgoing, plain: PlainBody | undefined): Outgoing {
  if (plain === undefined) return outgoing
  const { headers } = outgoing
  const { payload, contentType } = plain
  if (contentType !== undefined && !headers.has('content-type')) headers.set('content-type', contentType)
  return { ...outgoing, body: payload }
}

import { afterEach, describe, expect, it, vi } from 'vitest'
import { fromRequest, readRequest, toPlainBody } from '../../../src/signing/request-body.ts'

const URL_ = new URL('https://h.example/x?a=1')
const bytesOf = (text: string) => new TextEncoder().encode(text)

/** The request that is read from a body, and the `Request` of the same body. */
async function read(init: RequestInit) {
  const { body, headers, method } = readRequest(URL_, init)
  const bytes = Buffer.from((body instanceof Request ? await body.arrayBuffer() : (body ?? '')) as Uint8Array)
  const request = new Request(URL_, { ...init, signal: null })
  return {
    isPlain: !(body instanceof Request),
    read: [method, headers.get('content-type')?.replace(/boundary.*/, ''), Buffer.from(bytes).toString().length],
    expected: [
      request.method,
      request.headers.get('content-type')?.replace(/boundary.*/, ''),
      Buffer.from(await request.arrayBuffer()).toString().length,
    ],
  }
}

const form = new FormData()
form.set('a', 'ü')

describe('readRequest', () => {
  it.each<[string, boolean, RequestInit]>([
    ['nothing', true, {}],
    ['no body', true, { method: 'POST', body: null }],
    ['a text', true, { method: 'POST', body: 'ü' }],
    ['a text of its own type', true, { method: 'PUT', body: '{}', headers: { 'Content-Type': 'application/json' } }],
    ['bytes', true, { method: 'PATCH', body: new Uint8Array([1, 2, 3]) }],
    ['a signal', true, { method: 'DELETE', signal: AbortSignal.abort() }],
    ['a buffer', false, { method: 'POST', body: new Uint8Array([1, 2]).buffer }],
    ['search parameters', false, { method: 'POST', body: new URLSearchParams({ a: 'ü' }) }],
    ['a form', false, { method: 'POST', body: form }],
    ['a blob', false, { method: 'POST', body: new Blob(['a'], { type: 'text/x' }) }],
    ['a method to be normalized', false, { method: 'post', body: 'a' }],
    ['another member', false, { method: 'POST', body: 'a', keepalive: true }],
  ])('reads %s as fetch does', async (_, isPlain, init) => {
    const found = await read(init)
    expect(found.read).toEqual(found.expected)
    expect(found.isPlain).toBe(isPlain || init.body == null)
  })

  it.each<[string, URL, RequestInit]>([
    ['a body where there can be none', URL_, { body: 'a' }],
    ['a body of a HEAD', URL_, { method: 'HEAD', body: new Uint8Array(1) }],
    ['a method that is none', URL_, { method: 'a b' }],
    ['a header that is none', URL_, { headers: { 'a b': 'c' } }],
    ['credentials in the URL', new URL('https://u:p@h.example/'), {}],
    ['a user in the URL', new URL('https://u@h.example/'), {}],
    ['a password in the URL', new URL('https://:p@h.example/'), {}],
  ])('refuses %s as fetch does', (_, url, init) => {
    expect(() => new Request(url, init)).toThrow(TypeError)
    expect(() => readRequest(url, init)).toThrow(TypeError)
  })

  it('keeps a copy of bytes, which the caller may change', () => {
    const bytes = new Uint8Array([1, 2])
    const { body } = readRequest(URL_, { method: 'POST', body: bytes })
    bytes[0] = 9
    expect(body).toEqual(new Uint8Array([1, 2]))
  })

  it('reads all members of a Request, and its body if init has none', async () => {
    const request = new Request(URL_, { method: 'POST', body: 'a', integrity: 'sha256-x' })
    expect(readRequest(request)).toMatchObject({ method: 'POST', init: { integrity: 'sha256-x' } })
    const { body, headers } = fromRequest(new Request(URL_, { method: 'POST' }), undefined, toPlainBody('b'))
    expect([body, headers.get('content-type')]).toEqual([bytesOf('b'), 'text/plain;charset=UTF-8'])
    expect(fromRequest(new Request(URL_)).body).toBeUndefined()
    const init = {}
    expect(fromRequest(new Request(URL_), init).init).toBe(init)
  })
})

it.each<[string, URL | Request, (signal: AbortSignal) => RequestInit]>([
  ['of its options', URL_, (signal) => ({ method: 'POST', body: new Blob(['a']), signal })],
  ['of a Request in their place', URL_, (signal) => new Request(URL_, { method: 'POST', body: 'a', signal })],
])('a body does not follow the signal %s, which the call follows itself', (_, target, init) => {
  const controller = new AbortController()
  const { body } = readRequest(target, init(controller.signal))
  controller.abort()
  expect((body as Request).signal.aborted).toBe(false)
})

describe('toPlainBody', () => {
  it('gives the bytes of texts and bytes with the content type that fetch would give them', () => {
    expect(toPlainBody('ü')).toEqual({
      bytes: bytesOf('ü'),
      text: 'ü',
      contentType: 'text/plain;charset=UTF-8',
    })
    expect(toPlainBody('{}', 'application/json')).toEqual({
      bytes: bytesOf('{}'),
      text: '{}',
      contentType: 'application/json',
    })
    expect(toPlainBody(new Uint8Array([1]))).toEqual({ bytes: new Uint8Array([1]), contentType: undefined })
  })

  it.each([undefined, null, new ArrayBuffer(1), new Blob(['a']), new URLSearchParams()])('leaves %o alone', (body) => {
    expect(toPlainBody(body)).toBeUndefined()
  })
})

describe('a Request, which costs more than all else, is spared', () => {
  const bytes = new Uint8Array(1)
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it.each<[boolean, URL | Request, RequestInit]>([
    [true, URL_, {}],
    [true, URL_, { method: 'HEAD', headers: {}, signal: null }],
    [true, URL_, { method: 'GET', body: null }],
    [true, URL_, { method: 'PUT', body: 'a' }],
    [true, URL_, { method: 'PATCH', body: 'a' }],
    [true, URL_, { method: 'OPTIONS' }],
    [true, URL_, { method: 'DELETE', body: bytes }],
    [true, URL_, { method: 'POST', body: '' }],
    [false, new Request(URL_), {}],
    [false, URL_, new Request(URL_)],
    [false, URL_, { keepalive: true }],
    [false, URL_, { method: 'post' }],
    [false, URL_, { method: 'POST', body: bytes.buffer }],
  ])('%s, for %s and %o', (isSpared, target, init) => {
    const made = vi.fn()
    const NativeRequest = Request
    class CountedRequest extends NativeRequest {
      static override [Symbol.hasInstance](value: unknown): boolean {
        return value instanceof NativeRequest
      }
      constructor(...args: ConstructorParameters<typeof NativeRequest>) {
        super(...args)
        made()
      }
    }
    vi.stubGlobal('Request', CountedRequest)
    readRequest(target, init)
    expect(made.mock.calls.length === 0).toBe(isSpared)
  })
})

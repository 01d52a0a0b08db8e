import { describe, expect, it } from 'vitest'
import { fromRequest, isPlainRequest, readOutgoing, toPlainBody } from '../../../src/signing/request-body.ts'
import { sha256Hex } from '../../../src/signing/sha256.ts'

const URL_ = new URL('https://h.example/x?a=1')

/** What comes of a body, and what a Request makes of the same. */
async function read(init: RequestInit) {
  const outgoing = readOutgoing(URL_, init)
  const { body, headers, method } = outgoing
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

describe('readOutgoing', () => {
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
    expect(() => readOutgoing(url, init)).toThrow(TypeError)
  })

  it('keeps a copy of bytes, which the caller may change', () => {
    const bytes = new Uint8Array([1, 2])
    const { body } = readOutgoing(URL_, { method: 'POST', body: bytes })
    bytes[0] = 9
    expect(body).toEqual(new Uint8Array([1, 2]))
  })

  it('keeps the copy of many bytes as a Blob, with their hash', async () => {
    const bytes = new Uint8Array(262_144).fill(7)
    const { payload } = toPlainBody(bytes) as { payload: { blob: Blob; hash: string } }
    expect(payload).toEqual({ blob: expect.any(Blob), hash: sha256Hex(bytes) })
    expect(Buffer.from(await payload.blob.arrayBuffer()).equals(bytes)).toBe(true)
    const fewer = bytes.subarray(1)
    expect(toPlainBody(fewer)).toEqual({ payload: fewer, contentType: undefined })
  })

  it('reads a Request with what it holds, its own body if init has none', async () => {
    const request = new Request(URL_, { method: 'POST', body: 'a', integrity: 'sha256-x' })
    expect(readOutgoing(request)).toMatchObject({ method: 'POST', init: { integrity: 'sha256-x' } })
    const { body, headers } = fromRequest(new Request(URL_, { method: 'POST' }), undefined, toPlainBody('b'))
    expect([body, headers.get('content-type')]).toEqual(['b', 'text/plain;charset=UTF-8'])
    expect(fromRequest(new Request(URL_)).body).toBeUndefined()
    const init = {}
    expect(fromRequest(new Request(URL_), init).init).toBe(init)
  })
})

describe('a Request is spared', () => {
  const bytes = new Uint8Array(1)

  it.each<[boolean, unknown, RequestInit]>([
    [true, URL_, {}],
    [true, URL_, { method: 'HEAD', headers: {}, signal: null }],
    [true, URL_, { method: 'GET', body: null }],
    [true, URL_, { method: 'PUT', body: 'a' }],
    [true, URL_, { method: 'PATCH', body: 'a' }],
    [true, URL_, { method: 'OPTIONS' }],
    [true, URL_, { method: 'DELETE', body: bytes }],
    [true, URL_, { method: 'POST', body: '' }],
    [false, new Request(URL_), {}],
    [false, URL_.href, {}],
    [false, URL_, new Request(URL_)],
    [false, new URL('https://u@h.example/'), {}],
    [false, new URL('https://:p@h.example/'), {}],
    [false, URL_, { keepalive: true }],
    [false, URL_, { method: 'post' }],
    [false, URL_, { body: '' }],
    [false, URL_, { method: 'HEAD', body: bytes }],
    [false, URL_, { method: 'POST', body: bytes.buffer }],
  ])('%s, for %s and %o', (isSpared, target, init) => {
    expect(isPlainRequest(target, init)).toBe(isSpared)
  })
})

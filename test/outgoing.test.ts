import { describe, expect, it } from 'vitest'
import { fromRequest, readOutgoing, toPlainBody } from '../src/outgoing.ts'

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
    ['a method that is none', URL_, { method: 'a b' }],
    ['a header that is none', URL_, { headers: { 'a b': 'c' } }],
    ['credentials in the URL', new URL('https://u:p@h.example/'), {}],
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

  it('reads a Request with what it holds, its own body if init has none', async () => {
    const request = new Request(URL_, { method: 'POST', body: 'a', integrity: 'sha256-x' })
    expect(readOutgoing(request)).toMatchObject({ method: 'POST', init: { integrity: 'sha256-x' } })
    const { body, headers } = fromRequest(new Request(URL_, { method: 'POST' }), undefined, toPlainBody('b'))
    expect([body, headers.get('content-type')]).toEqual(['b', 'text/plain;charset=UTF-8'])
    expect(fromRequest(new Request(URL_)).body).toBeUndefined()
  })
})

import { describe, expect, it } from 'vitest'
import { ServiceRequestError } from '../../../src/errors/index.ts'
import { CONNECTION_HEADERS, collectHeaders } from '../../../src/signing/request-headers.ts'
import { toWireUrl } from '../../../src/signing/wire-url.ts'

const URL_ = toWireUrl(new URL('https://h.example/x'), 'twice')
const CALL = { service: 'ai', method: 'GET', path: '/x', attempts: 0 }
const collect = (headers: Record<string, string>) =>
  collectHeaders(new Headers(headers), URL_, (problem) => new ServiceRequestError(CALL, problem))

describe('collectHeaders', () => {
  it.each([...CONNECTION_HEADERS])('refuses the header %s', (name) => {
    expect(() => collect({ [name]: 'x' })).toThrow(
      new ServiceRequestError(CALL, `the header '${name}' must not be set: it controls the connection`),
    )
  })

  it('drops the headers that are set again, and keeps all others', () => {
    const dropped = { connection: 'close', 'content-length': '9', host: 'h.example', 'x-amz-security-token': 't' }
    const kept = { accept: '*/*', 'content-type': 'text/plain', 'x-amz-meta': 'm' }
    expect({ ...collect({ ...dropped, ...kept }) }).toEqual(kept)
  })
})

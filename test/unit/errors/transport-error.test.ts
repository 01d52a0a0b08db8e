import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { readTransportError } from '../../../src/errors/transport-error.ts'

const system = (code: string, more: object = {}) => Object.assign(new Error(`connect ${code}`), { code, ...more })
const refused = (address: string) =>
  Object.assign(new Error(`connect ECONNREFUSED ${address}:9`), { code: 'ECONNREFUSED', syscall: 'connect' })
const fetchFailed = (cause: unknown) => new TypeError('fetch failed', { cause })

describe('a transport error', () => {
  it('names each address that was tried', () => {
    const error = fetchFailed(new AggregateError([refused('::1'), refused('127.0.0.1')]))
    expect(readTransportError(error)).toMatchObject({
      code: 'ECONNREFUSED',
      message: 'connect ECONNREFUSED ::1:9, connect ECONNREFUSED 127.0.0.1:9',
      neverConnected: true,
    })
  })

  it.each<[string, unknown, boolean]>([
    ['a refused connection', system('ECONNREFUSED'), true],
    ['a name that is not found', fetchFailed(system('ENOTFOUND', { syscall: 'getaddrinfo' })), true],
    ['a connection that took too long', system('ETIMEDOUT', { syscall: 'connect' }), true],
    ['a connection reset', system('ECONNRESET', { syscall: 'read' }), false],
    ['a host that became unreachable', system('EHOSTUNREACH', { syscall: 'write' }), false],
    ['one connection of two that was made', new AggregateError([refused('::1'), system('ECONNRESET')]), false],
    ['nothing', undefined, false],
    ['no error', 'gone', false],
  ])('%s says whether anything can have run', (_, error, neverConnected) => {
    expect(readTransportError(error).neverConnected).toBe(neverConnected)
  })

  it.each([
    system('UND_ERR_INVALID_ARG'),
    fetchFailed(system('UND_ERR_NOT_SUPPORTED')),
    system('ERR_INVALID_CHAR'),
    system('ERR_INVALID_HTTP_TOKEN'),
    system('ERR_UNESCAPED_CHARACTERS'),
    system('ERR_HTTP_INVALID_HEADER_VALUE'),
  ])('%s says that the request could not be sent', (error) => {
    expect(readTransportError(error).neverSent).toBe(true)
  })

  it.each([system('ECONNRESET'), system('ERR_STREAM_PREMATURE_CLOSE'), system('ERR_TLS_CERT_ALTNAME_INVALID')])(
    '%s does not',
    (error) => {
      expect(readTransportError(error).neverSent).toBe(false)
    },
  )

  it('is read by its shape, of another realm too', () => {
    const foreign = runInNewContext(
      `const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED', syscall: 'connect' })
      new TypeError('fetch failed', { cause })`,
    )
    expect(foreign).not.toBeInstanceOf(Error)
    expect(readTransportError(foreign)).toMatchObject({
      code: 'ECONNREFUSED',
      message: 'connect ECONNREFUSED 127.0.0.1:9',
      neverConnected: true,
    })
    const timeout = runInNewContext(`Object.assign(new Error('too late'), { name: 'TimeoutError' })`)
    expect(readTransportError(timeout)).toMatchObject({ timedOut: true, message: 'too late' })
  })

  it('ends for circular causes, and accepts only texts that look like a code', () => {
    const circular = system('ECONNRESET') as Error
    circular.cause = circular
    expect(readTransportError(circular)).toMatchObject({ code: 'ECONNRESET' })
    expect(readTransportError({ code: 42, message: 7 })).toMatchObject({ code: 'UNKNOWN', message: '' })
    expect(readTransportError({ code: 'what else' })).toMatchObject({ code: 'UNKNOWN' })
    const many = new AggregateError(Array.from({ length: 50 }, (_, index) => refused(`10.0.0.${index}`)))
    expect(readTransportError(many).message.split(', ')).toHaveLength(8)
  })
})

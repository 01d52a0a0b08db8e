import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { isOutOfDescriptors, readTransportError } from '../../../src/errors/transport-error.ts'

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
    ['a name that cannot be looked up now', fetchFailed(system('EAI_AGAIN')), true],
    ['a connection that took undici too long', fetchFailed(system('UND_ERR_CONNECT_TIMEOUT')), true],
    ['a connection that took too long', system('ETIMEDOUT', { syscall: 'connect' }), true],
    ['a connection reset', system('ECONNRESET', { syscall: 'read' }), false],
    ['a host that became unreachable', system('EHOSTUNREACH', { syscall: 'write' }), false],
    ['one connection of two that was made', new AggregateError([refused('::1'), system('ECONNRESET')]), false],
    ['a refused connection beside nothing', new AggregateError([null, refused('::1')]), true],
    ['nothing', undefined, false],
    ['no error', 'gone', false],
  ])('%s says whether anything can have run', (_, error, neverConnected) => {
    expect(readTransportError(error).neverConnected).toBe(neverConnected)
  })

  it.each([
    system('UND_ERR_INVALID_ARG'),
    fetchFailed(system('UND_ERR_NOT_SUPPORTED')),
    system('ERR_INVALID_ARG_TYPE'),
    system('ERR_INVALID_CHAR'),
    system('ERR_INVALID_HTTP_TOKEN'),
    system('ERR_UNESCAPED_CHARACTERS'),
    system('ERR_HTTP_INVALID_HEADER_VALUE'),
  ])('%s says that the request could not be sent', (error) => {
    expect(readTransportError(error).neverSent).toBe(true)
  })

  it.each([
    system('ECONNRESET'),
    system('ERR_STREAM_PREMATURE_CLOSE'),
    system('ERR_TLS_CERT_ALTNAME_INVALID'),
    system('ERR_INVALID_CHARSET'),
    system('NO_ERR_INVALID_CHAR'),
  ])('%s does not', (error) => {
    expect(readTransportError(error).neverSent).toBe(false)
  })

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

  it.each<[string, unknown, string, string]>([
    ['an error without a cause', fetchFailed(null), 'UNKNOWN', 'fetch failed'],
    ['a cause beside an empty list', new AggregateError([], 'x', { cause: refused('::1') }), 'ECONNREFUSED', '::1:9'],
    ['errors without a message', new AggregateError([new Error(''), system('E2BIG'), new Error('')]), 'E2BIG', 'E2BIG'],
    ['errors without a code', new AggregateError([new Error('x'), refused('::1')]), 'ECONNREFUSED', 'x, connect'],
    ['the same message twice', new AggregateError([system('EPIPE'), system('EPIPE')]), 'EPIPE', 'connect EPIPE'],
  ])('is read from %s', (_, error, code, message) => {
    const read = readTransportError(error)
    expect(read.code).toBe(code)
    expect(read.message).toContain(message)
    expect(read.message).not.toMatch(/^, |, $|EPIPE, /)
  })

  it.each(['ECONNRESET now', 'an ECONNRESET', 'Econnreset', 'E', ['ECONNRESET'], 42])('has no code like %j', (code) => {
    expect(readTransportError({ code }).code).toBe('UNKNOWN')
  })

  it('is read down to the fifth cause', () => {
    const nest = (depth: number): Error => new Error(`${depth}`, depth < 7 ? { cause: nest(depth + 1) } : {})
    expect(readTransportError(nest(0)).message).toBe('5')
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

it.each([
  ['EMFILE', true],
  ['ENFILE', true],
  ['ECONNRESET', false],
])('the code %s means that the process has no free descriptors: %j', (code, expected) => {
  expect(isOutOfDescriptors(code)).toBe(expected)
})

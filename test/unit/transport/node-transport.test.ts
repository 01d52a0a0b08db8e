import { getEventListeners, once } from 'node:events'
import http, { type ClientRequest } from 'node:http'
import https from 'node:https'
import { createServer, type LookupFunction, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { brotliCompressSync, createGzip, gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices } from '../../../src/index.ts'
import type { ReceivedResponse } from '../../../src/transport/index.ts'
import { IDENTITY, rejection } from '../../support/helpers.ts'
import { TLS_CERTIFICATE } from '../../support/tls-certificate.ts'
import {
  type CallOptions,
  findClosedPort,
  type Respond,
  startRawService,
  startService,
  trustServices,
  turn,
  useAbort,
  useTransport,
} from './loopback.ts'
import { startThreadService } from './thread-service.ts'

const LONG = Uint8Array.from({ length: 5_000_000 }, (_, at) => at % 251)

/** Changes the options that requests are made with, and gives the requests. */
function watchRequests(options: object = {}, protocol: 'http' | 'https' = 'http'): ClientRequest[] {
  const requests: ClientRequest[] = []
  const module = protocol === 'https' ? https : http
  const { request } = module
  const spy = vi.spyOn(module, 'request').mockImplementation(((given: http.RequestOptions) => {
    const made = request({ ...given, ...options })
    requests.push(made)
    return made
  }) as typeof request)
  onTestFinished(() => spy.mockRestore())
  return requests
}

/** Whether a connection holds the process, by the calls that say so. */
function watchHold(socket: Socket): string[] {
  const calls: string[] = []
  for (const name of ['ref', 'unref'] as const) {
    vi.spyOn(socket, name).mockImplementation(() => {
      calls.push(name)
      return socket
    })
  }
  return calls
}

/** A name that never turns into an address. */
const LOST_NAME: { readonly lookup: LookupFunction } = { lookup: () => {} }

describe('a request', () => {
  it('is sent with exactly this path and query', async () => {
    const service = await startService()
    const { call } = useTransport()
    for (const target of ['/', "/a%20b/%C3%BC//c/../d/.?e=1&d=2&e&f=%7E!'()*", '/?', '/%2F%2f;a=b@c:d']) {
      await call(service.url + target)
      expect(service.seen.pop()).toMatchObject({ method: 'POST', target, body: '{}' })
    }
  })

  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])('is a %s', async (method) => {
    const service = await startService()
    const { call } = useTransport()
    await call(service.url, { method })
    expect(service.seen).toMatchObject([{ method, body: '' }])
  })

  it.each([
    ['GET', undefined, undefined],
    ['DELETE', undefined, undefined],
    ['POST', undefined, '0'],
    ['PUT', undefined, '0'],
    ['PATCH', undefined, '0'],
    ['POST', '', '0'],
    ['POST', 'é', '2'],
    ['DELETE', '{"a":1}', '7'],
    ['DELETE', '', '0'],
    ['OPTIONS', 'x', '1'],
  ])('says how long its body is: %s %j', async (method, body, expected) => {
    const service = await startService()
    const { call } = useTransport()
    await call(service.url, { method, ...(body !== undefined && { body }) })
    const [seen] = service.seen
    expect(seen?.headers['content-length']).toBe(expected)
    expect(seen?.headers).not.toHaveProperty('transfer-encoding')
    expect(Buffer.from(seen?.body ?? '', 'latin1').toString()).toBe(body ?? '')
  })

  it('takes a body of 5 MB, and a part of a larger memory', async () => {
    const service = await startService()
    const { call } = useTransport()
    await call(service.url, { method: 'POST', body: LONG })
    expect(Buffer.from(service.seen[0]?.body ?? '', 'latin1').equals(LONG)).toBe(true)
    await call(service.url, { method: 'POST', body: new Uint8Array([0, 1, 2, 255, 4]).subarray(1, 4) })
    expect(service.seen[1]).toMatchObject({ body: '\x01\x02\xff', headers: { 'content-length': '3' } })
  })

  it('has the headers that are given, and few more', async () => {
    const service = await startService()
    const { call } = useTransport()
    await call(service.url, { headers: { 'x-a': 'é', 'x-amzn-trace-id': 'Root=1' } })
    expect(service.seen[0]?.headers).toEqual({
      host: new URL(service.url).host,
      connection: 'keep-alive',
      accept: '*/*',
      'accept-encoding': 'gzip, br',
      'user-agent': 'middy-signed-services',
      'x-a': 'é',
      'x-amzn-trace-id': 'Root=1',
    })
  })

  it("does not change the caller's own headers", async () => {
    const service = await startService()
    const { call } = useTransport()
    const headers = { accept: 'a/b', 'accept-encoding': 'zstd', 'user-agent': 'me', range: 'bytes=0-1' }
    await call(service.url, { headers })
    expect(service.seen[0]?.headers).toMatchObject(headers)
  })

  it('for a range asks for unencoded bytes', async () => {
    const service = await startService()
    const { call } = useTransport()
    await call(service.url, { headers: { range: 'bytes=0-1' } })
    expect(service.seen[0]?.headers).toMatchObject({ range: 'bytes=0-1', 'accept-encoding': 'identity' })
  })

  it('reaches a host that is named by its IPv6 address', async () => {
    const service = await startService(undefined, { host: '::1' })
    const { call } = useTransport()
    expect(await call(`${service.url}/x`)).toBe('{}')
    expect(service.seen).toMatchObject([{ target: '/x', headers: { host: new URL(service.url).host } }])
  })

  it('goes over TLS, to whom this process trusts', async () => {
    const service = await startService(undefined, { isTls: true, host: 'localhost' })
    const { call, send } = useTransport()
    expect(await rejection(send(service.url))).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    trustServices()
    expect(await call(service.url)).toBe('{}')
    const elsewhere = service.url.replace('localhost', '127.0.0.1')
    expect(await rejection(send(elsewhere))).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  })

  it('goes to the port of its protocol where the URL names none', async () => {
    const options: http.RequestOptions[] = []
    for (const module of [http, https]) {
      const spy = vi.spyOn(module, 'request').mockImplementation(((given: http.RequestOptions) => {
        options.push(given)
        throw new Error('not sent')
      }) as never)
      onTestFinished(() => spy.mockRestore())
    }
    const { send } = useTransport()
    for (const url of ['http://a.example/x', 'https://a.example/x', 'https://a.example:8443/x']) {
      await rejection(send(url))
    }
    expect(options.map(({ protocol, hostname, port }) => [protocol, hostname, port])).toEqual([
      ['http:', 'a.example', ''],
      ['https:', 'a.example', ''],
      ['https:', 'a.example', '8443'],
    ])
  })

  it('is made by the function that the module has at that moment, as tracers and mocks replace it', async () => {
    const service = await startService()
    const { call } = useTransport()
    await call(service.url)
    const requests = watchRequests()
    await call(service.url)
    expect(requests).toHaveLength(1)
  })
})

type Read = (response: ReceivedResponse) => unknown

const RESPONSES: Readonly<Record<string, Respond>> = {
  json: (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"a":"é"}'),
  empty: (_, response) => response.end(),
  created: (_, response) => response.writeHead(201, { location: '/jobs/7' }).end('{}'),
  'no content': (_, response) => response.writeHead(204).end(),
  'reset content': (_, response) => response.writeHead(205).end(),
  'reset content, with a body': (_, response) => response.writeHead(205).end('body'),
  'multiple choices': (_, response) => response.writeHead(300).end('{}'),
  'not modified': (_, response) => response.writeHead(304, { etag: '"1"' }).end(),
  redirect: (_, response) => response.writeHead(302, { location: '/elsewhere' }).end('moved'),
  error: (_, response) => response.writeHead(503, 'Out of Order').end('{"message":"later"}'),
  'no reason': (_, response) => response.writeHead(200, '').end('{}'),
  'odd status': (_, response) => response.writeHead(599, 'Odd').end('{}'),
  cookies: (_, response) => response.setHeader('set-cookie', ['a=1; Path=/', 'b=2']).setHeader('x-b', ['1', '2']).end(),
  latin1: (_, response) => response.setHeader('x-name', 'é').end(),
  interim: (_, response) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' })
    response.end('{}')
  },
  processing: (_, response) => {
    response.writeProcessing()
    response.end('{}')
  },
  chunked: (_, response) => {
    response.write('{"a"')
    setTimeout(() => response.end(':1}'), 10)
  },
  trailers: (request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { trailer: 'x-a' }).write('{}')
      response.addTrailers({ 'x-a': '1' })
    }
    response.end()
  },
  long: (_, response) => response.end(LONG),
  'long, chunked': (_, response) => {
    for (let at = 0; at < LONG.length; at += 100_000) response.write(LONG.subarray(at, at + 100_000))
    response.end()
  },
  'until the end of the connection': (request) => {
    request.socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}')
  },
  'HTTP 1.0': (request) => {
    request.socket.end('HTTP/1.0 200 OK\r\n\r\n{}')
  },
  gzip: encoded('gzip', gzipSync('{"a":"é"}')),
  brotli: encoded('br', brotliCompressSync('{"a":"é"}')),
  'several codings': encoded('gzip, BR', brotliCompressSync(gzipSync('{"a":"é"}'))),
  'an unknown coding': encoded('gzip, rot13', gzipSync('{}')),
  'gzip, long': encoded('gzip', gzipSync(LONG)),
  'gzip, empty': encoded('gzip', Buffer.alloc(0)),
  'gzip, no content': (_, response) => response.writeHead(204, { 'content-encoding': 'gzip' }).end(),
}

function encoded(contentEncoding: string, body: Buffer): Respond {
  return (_, response) => response.setHeader('content-encoding', contentEncoding).end(body)
}

describe('a response is what the built-in fetch gives', () => {
  const describeResponse = async (response: Response) => {
    const { status, statusText, ok, type, redirected, headers, url, body } = response
    const head = { status, statusText, ok, type, redirected, url, isEmpty: body === null }
    // The built-in fetch ends the connection of a HEAD.
    const shown = [...headers].filter(([name]) => name !== 'connection')
    return { ...head, cookies: headers.getSetCookie(), headers: shown, text: await response.text() }
  }

  it.each(Object.keys(RESPONSES))('%s', async (name) => {
    const service = await startService((request, response, body) => {
      response.setHeader('date', 'Tue, 24 Nov 2026 12:00:00 GMT')
      RESPONSES[name]?.(request, response, body)
    })
    const { send } = useTransport()
    for (const method of ['GET', 'HEAD']) {
      const url = `${service.url}/path?q=1`
      const expected = await describeResponse(await fetch(url, { method, redirect: 'manual' }))
      expect(await describeResponse(await send(url, { method }))).toEqual(expected)
    }
  })

  it('and has any status of three digits', async () => {
    const service = await startRawService('HTTP/1.1 999 \r\ncontent-length: 2\r\n\r\n{}')
    const { send } = useTransport()
    const response = await send(service.url)
    expect([response.status, response.statusText, response.ok, await response.text()]).toEqual([999, '', false, '{}'])
  })

  it.each(['no content', 'reset content', 'not modified', 'empty', 'gzip, empty', 'json'])(
    'and leaves its connection to the next request: %s',
    async (name) => {
      const service = await startService(RESPONSES[name])
      const { call } = useTransport()
      for (let count = 0; count < 3; count += 1) await call(service.url)
      expect(service.connections).toHaveLength(1)
    },
  )

  it('and leaves its connection after a HEAD', async () => {
    const service = await startService((_, response) => response.setHeader('content-length', '2').end())
    const { call } = useTransport()
    for (let count = 0; count < 3; count += 1) await call(service.url, { method: 'HEAD' })
    expect(service.connections).toHaveLength(1)
  })

  it('and may have been put together by a mock', async () => {
    const service = await startService()
    const { send } = useTransport()
    const [changed, refused] = [{ statusMessage: undefined }, { rawHeaders: ['x-a', '\u{1f600}'] }]
    const { request } = http
    const spy = vi.spyOn(http, 'request')
    onTestFinished(() => spy.mockRestore())
    const change = (members: object) =>
      spy.mockImplementationOnce(((given: http.RequestOptions) =>
        request(given).prependListener('response', (message) => void Object.assign(message, members))) as never)
    change(changed)
    expect((await send(service.url)).statusText).toBe('')
    await turn()
    change(refused)
    expect(await rejection(send(service.url))).toBeInstanceOf(TypeError)
    await vi.waitFor(() => expect(service.live()).toHaveLength(0))
  })
})

describe('a request fails', () => {
  it('if nothing listens', async () => {
    const { send } = useTransport()
    const error = await rejection(send(`http://127.0.0.1:${await findClosedPort()}`))
    expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect' })
  })

  it('where no host has the name', async () => {
    const { send } = useTransport()
    const error = await rejection(send('http://no-such-host.invalid/'))
    expect(error).toMatchObject({ syscall: 'getaddrinfo' })
  })

  it.each([
    ['a path', { url: '/a b' }, 'ERR_UNESCAPED_CHARACTERS'],
    ['a header', { headers: { 'x-a': '\n' } }, 'ERR_INVALID_CHAR'],
    ["a header's name", { headers: { 'x a': '1' } }, 'ERR_INVALID_HTTP_TOKEN'],
    ['a method', { method: 'a b' }, 'ERR_INVALID_HTTP_TOKEN'],
  ])('that cannot be written for %s', async (_, { url = '/', ...options }: CallOptions & { url?: string }, code) => {
    const service = await startService()
    const { send } = useTransport()
    const { signal } = useAbort()
    expect(await rejection(send(service.url + url, { ...options, signal }))).toMatchObject({ code })
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(service.connections).toEqual([])
  })

  it.each([
    ['closes', 'destroy'],
    ['resets', 'resetAndDestroy'],
  ] as const)('where the service %s the connection, and leaves nothing on its signal', async (_, end) => {
    const service = await startService((request) => request.socket[end]())
    const { send } = useTransport()
    const { signal } = useAbort()
    expect(await rejection(send(service.url, { signal }))).toMatchObject({ code: 'ECONNRESET' })
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it.each([
    ['not HTTP', 'SSH-2.0-OpenSSH_9.9\r\n', 'HPE_INVALID_CONSTANT'],
    ['half a head', 'HTTP/1.1 200 OK\r\nx-a: ', 'ECONNRESET'],
    ['a head of 20 KB', `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(20_000)}\r\n\r\n`, 'HPE_HEADER_OVERFLOW'],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na',
      expect.stringMatching(/^HPE_/),
    ],
    [
      'a switch of protocols',
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
      'ECONNRESET',
    ],
  ])('where the service answers by %s', async (_, answer, code) => {
    const service = await startRawService(answer, (socket) => socket.end())
    const { send } = useTransport()
    const { signal } = useAbort()
    expect(await rejection(send(service.url, { signal }))).toMatchObject({ code })
    expect(getEventListeners(signal, 'abort')).toEqual([])
    await vi.waitFor(() => expect(service.live()).toHaveLength(0))
  })

  it('at once where the service switches protocols and keeps the connection', async () => {
    const head = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'
    const service = await startRawService(head)
    const { send } = useTransport()
    expect(await rejection(send(service.url))).toMatchObject({ message: expect.stringContaining('without a response') })
    await vi.waitFor(() => expect(service.live()).toHaveLength(0))
  })
})

describe('a body that breaks off fails its reader', () => {
  const half = (head: string) => `HTTP/1.1 200 OK\r\n${head}\r\n\r\n`
  const BROKEN: Readonly<Record<string, readonly [answer: string | Buffer, end: 'end' | 'resetAndDestroy']>> = {
    'less than its length': [`${half('content-length: 100')}half`, 'end'],
    'no last chunk': [`${half('transfer-encoding: chunked')}4\r\nhalf\r\n`, 'end'],
    'half a chunk': [`${half('transfer-encoding: chunked')}64\r\nhalf`, 'end'],
    reset: [`${half('content-length: 100')}half`, 'resetAndDestroy'],
    'no chunk': [`${half('transfer-encoding: chunked')}no chunk`, 'end'],
    'half, in gzip': [
      Buffer.concat([Buffer.from(half('content-length: 1000\r\ncontent-encoding: gzip')), gzipSync('{"a":1}')]),
      'end',
    ],
    'nothing yet, in gzip': [half('content-length: 1000\r\ncontent-encoding: gzip'), 'resetAndDestroy'],
    'not gzip': [`${half('content-length: 8\r\ncontent-encoding: gzip')}not gzip`, 'end'],
  }
  const READS: Readonly<Record<string, Read>> = {
    whole: (response) => response.text(),
    'as a stream': (response) => response.blob(),
    'as a clone': (response) => response.clone().text(),
    'after a while': async (response) => {
      await wait(40)
      return response.arrayBuffer()
    },
  }

  it.each(Object.keys(BROKEN))('%s', async (name) => {
    const [answer, end] = BROKEN[name] as (typeof BROKEN)[string]
    for (const [way, read] of Object.entries(READS)) {
      const service = await startRawService(answer, (socket) => setTimeout(() => socket[end](), 20))
      const { send } = useTransport()
      const { signal } = useAbort()
      const response = await send(service.url, { signal })
      const listener = vi.fn()
      response.onEnd(listener)
      expect(await rejection(read(response) as Promise<unknown>), way).toMatchObject({
        code: expect.stringMatching(/^(ECONNRESET|HPE_|Z_)/),
      })
      expect(listener).toHaveBeenCalledOnce()
      await turn()
      expect(getEventListeners(signal, 'abort')).toEqual([])
    }
  })

  it('and only the reader', async () => {
    const service = await startRawService(`${half('content-length: 100')}half`, (socket) => socket.resetAndDestroy())
    const { send } = useTransport()
    await send(service.url)
    await wait(30)
    expect(service.live()).toHaveLength(0)
  })
})

it('a response that must have no body, and has one, closes its connection', async () => {
  const service = await startRawService('HTTP/1.1 205 Reset Content\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n')
  const { call } = useTransport()
  expect(await call(service.url)).toBe('')
  await vi.waitFor(() => expect(service.live()).toEqual([]))
})

describe('an unread response', () => {
  it.each([
    ['identity', (_: unknown, response: http.ServerResponse) => response.end('a'.repeat(60_000))],
    ['gzip', encoded('gzip', gzipSync('a'.repeat(60_000)))],
  ] as const)('frees its connection if it is small, and can still be read: %s', async (_, respond) => {
    const service = await startService(respond as Respond)
    const { send } = useTransport()
    const { signal } = useAbort()
    const responses: Response[] = []
    for (let count = 0; count < 3; count += 1) {
      responses.push(await send(service.url, { signal, maxConnections: 1 }))
      await turn()
    }
    expect(service.connections).toHaveLength(1)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    for (const response of responses) expect(await response.text()).toHaveLength(60_000)
  })

  it.each([
    ['accessed', (response: Response) => response.body],
    ['cloned', (response: Response) => response.clone()],
    ['cancelled', (response: Response) => response.body?.cancel()],
  ])('frees its connection for others if it was only %s', async (_, touch) => {
    const service = await startService()
    const { send } = useTransport()
    for (let count = 0; count < 3; count += 1) touch(await send(service.url, { maxConnections: 1 }))
    expect(service.seen).toHaveLength(3)
  })

  it.each([
    ['whole', (response: Response) => response.text()],
    ['as a stream', (response: Response) => response.blob()],
  ])('lets the process end until it is read, %s', async (_, read) => {
    let finish = () => {}
    const service = await startService((_, response) => {
      response.write('half')
      finish = () => response.end()
    })
    const { send } = useTransport()
    const requests = watchRequests()
    const response = await send(service.url)
    const calls = watchHold(requests[0]?.socket as Socket)
    await turn()
    expect(calls).toEqual(['unref'])
    const reading = read(response)
    await turn()
    expect(calls).toEqual(['unref', 'ref'])
    finish()
    await reading
    await turn()
    // Its next request holds the process; its agent lets go of it.
    expect(calls).toEqual(['unref', 'ref', 'ref', 'unref'])
  })

  it('lets its connection hold the process for the next request, and not when it is read later', async () => {
    const service = await startService()
    const { send } = useTransport()
    const requests = watchRequests()
    const response = await send(service.url)
    const calls = watchHold(requests[0]?.socket as Socket)
    await turn()
    expect(calls).toEqual(['unref', 'ref', 'unref'])
    expect(await response.text()).toBe('{}')
    expect(calls).toEqual(['unref', 'ref', 'unref'])
  })

  it('leaves its connection when it is cancelled after all of it has come', async () => {
    const service = await startService()
    const { send, call } = useTransport()
    const response = await send(service.url)
    await turn()
    await response.body?.cancel()
    await call(service.url)
    expect(service.connections).toHaveLength(1)
  })

  it.each(['identity', 'gzip'])('slows its service down, and still arrives whole: %s', async (coding) => {
    const size = 24_000_000
    let sent = 0
    const block = Buffer.from(Array.from({ length: 1_000_000 }, () => Math.floor(Math.random() * 256)))
    const service = await startService(async (_, response) => {
      const target = coding === 'gzip' ? createGzip({ level: 0 }) : response
      response.setHeader('content-encoding', coding)
      if (target !== response) target.pipe(response)
      for (; sent < size; sent += block.length) if (!target.write(block)) await once(target, 'drain')
      target.end()
    })
    const { send } = useTransport()
    const response = await send(service.url)
    let before = -1
    while (before !== sent) {
      before = sent
      await wait(100)
    }
    expect(sent).toBeLessThan(size / 2)
    let received = 0
    if (coding === 'gzip') for await (const chunk of response.body ?? []) received += chunk.length
    else received = (await response.arrayBuffer()).byteLength
    expect(received).toBe(size)
  })

  it.each(['identity', 'gzip'])('releases its connection when it is cancelled: %s', async (coding) => {
    const service = await startService((_, response) => {
      response.setHeader('content-encoding', coding).write(coding === 'gzip' ? gzipSync('half') : 'half')
    })
    const { send } = useTransport()
    const { signal } = useAbort()
    const reader = (await send(service.url, { signal })).body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('half')
    const pending = reader?.read()
    await reader?.cancel(new Error('enough'))
    expect(await pending).toEqual({ done: true, value: undefined })
    await vi.waitFor(() => expect(service.live()).toHaveLength(0))
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('a service that responds before it has read the request', () => {
  const head = 'HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\n\r\n{}'

  it('is heard, and its connection is not used again', async () => {
    const service = await startRawService(head, (socket) => socket.pause())
    const { send } = useTransport()
    const requests = watchRequests()
    const { signal } = useAbort()
    const response = await send(service.url, { method: 'POST', body: LONG, signal })
    expect([response.status, await response.text()]).toEqual([413, '{}'])
    await vi.waitFor(() => expect(requests[0]?.socket?.destroyed).toBe(true))
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('may leave its response unread, too', async () => {
    const service = await startRawService(head, (socket) => socket.pause())
    const { send } = useTransport()
    const requests = watchRequests()
    const response = await send(service.url, { method: 'POST', body: LONG })
    await vi.waitFor(() => expect(requests[0]?.socket?.destroyed).toBe(true))
    expect(await response.text()).toBe('{}')
  })

  it('may end the connection', async () => {
    const service = await startRawService(head, (socket) => socket.resume().end())
    const { send } = useTransport()
    const response = await send(service.url, { method: 'POST', body: LONG })
    expect([response.status, await response.text()]).toEqual([413, '{}'])
  })

  it.each(['http', 'https'] as const)(
    'keeps its connection where the request has gone out, over %s',
    async (protocol) => {
      const service = await startThreadService(protocol)
      const { call, send } = useTransport()
      const requests = watchRequests({ ca: TLS_CERTIFICATE }, protocol)
      await call(service.url)
      for (let count = 2; count < 5; count += 1) {
        // Written in this phase of the event loop, TLS learns that the bytes have gone out after the response has come.
        await new Promise((resolve) => setImmediate(resolve))
        const response = send(service.url, { method: 'POST', body: 'a' })
        for (let ticks = 0; ticks < 20; ticks += 1) await new Promise<void>((resolve) => process.nextTick(resolve))
        service.block(count)
        expect(await (await response).text()).toBe('{}')
        await turn()
      }
      expect(requests.map(({ reusedSocket }) => reusedSocket)).toEqual([false, true, true, true])
      expect(await service.seen()).toHaveLength(4)
    },
  )
})

describe('a signal', () => {
  it.each([[new Error('the reason')], ['text'], [5], [null], [undefined]])(
    'ends request and response with its very reason: %s',
    async (reason) => {
      const service = await startService((request, response) => {
        if (request.url === '/half') response.write('half')
      })
      const { send } = useTransport()
      const before = useAbort(reason)
      before.abort()
      expect(await rejection(send(service.url, { signal: before.signal }))).toBe(before.signal.reason)

      const waiting = useAbort(reason)
      const call = send(service.url, { signal: waiting.signal })
      await vi.waitFor(() => expect(service.seen).toHaveLength(1))
      waiting.abort()
      expect(await rejection(call)).toBe(waiting.signal.reason)

      const reading = useAbort(reason)
      const response = await send(`${service.url}/half`, { signal: reading.signal })
      const text = response.text()
      await turn()
      reading.abort()
      expect(await rejection(text)).toBe(reading.signal.reason)
      await vi.waitFor(() => expect(service.live()).toHaveLength(0))
    },
  )

  it('that has aborted lets nothing out', async () => {
    const service = await startService()
    const { send } = useTransport()
    const signal = AbortSignal.abort()
    await rejection(send(service.url, { signal }))
    await turn()
    expect(service.connections).toEqual([])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('ends a request for which a connection is made', async () => {
    const requests = watchRequests(LOST_NAME)
    const { send } = useTransport()
    const { signal, reason, abort } = useAbort()
    const call = send('http://a.example/', { signal })
    await turn()
    abort()
    expect(await rejection(call)).toBe(reason)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    await vi.waitFor(() => expect(requests[0]?.socket?.destroyed).toBe(true))
  })

  it('ends a request that has just been made, which is never written', async () => {
    const service = await startService()
    const { call, send } = useTransport()
    const { signal, reason, abort } = useAbort()
    const aborted = send(service.url, { signal })
    abort()
    expect(await rejection(aborted)).toBe(reason)
    await turn()
    expect(service.seen).toEqual([])
    await call(service.url)
    expect(service.seen).toHaveLength(1)
  })

  it('ends a request that waits for a connection, and lets the others behind it go on', async () => {
    let finish = () => {}
    const service = await startService((request, response) => {
      if (request.url === '/first') finish = () => response.end('first')
      else response.end('other')
    })
    const { call, send } = useTransport()
    const options = { maxConnections: 1 }
    const first = call(`${service.url}/first`, options)
    await vi.waitFor(() => expect(service.seen).toHaveLength(1))
    const { signal, reason, abort } = useAbort()
    const second = send(`${service.url}/second`, { ...options, signal })
    const third = call(`${service.url}/third`, options)
    await turn()
    abort()
    expect(await rejection(second)).toBe(reason)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    finish()
    expect([await first, await third]).toEqual(['first', 'other'])
    expect(service.seen.map(({ target }) => target)).toEqual(['/first', '/third'])
    expect(service.connections).toHaveLength(1)
  })

  it('ends a request that is being written', async () => {
    const service = await startRawService('', (socket) => socket.pause())
    const { send } = useTransport()
    const requests = watchRequests()
    const { signal, reason, abort } = useAbort()
    const call = send(service.url, { method: 'POST', body: LONG, signal })
    await vi.waitFor(() => expect(service.connections).toHaveLength(1))
    await turn()
    abort()
    expect(await rejection(call)).toBe(reason)
    await vi.waitFor(() => expect(requests[0]?.socket?.destroyed).toBe(true))
  })

  it.each([
    ['whole', 'identity', (response: Response) => response.text()],
    ['as a stream', 'identity', (response: Response) => response.blob()],
    ['as a clone', 'identity', (response: Response) => response.clone().text()],
    ['whole', 'gzip', (response: Response) => response.text()],
    ['as a stream', 'gzip', (response: Response) => response.blob()],
  ])('ends a body that is read, %s, %s', async (_, coding, read) => {
    const service = await startService((_, response) => {
      response.setHeader('content-encoding', coding).write(coding === 'gzip' ? gzipSync('half') : 'half')
    })
    const { send } = useTransport()
    const { signal, reason, abort } = useAbort()
    const response = await send(service.url, { signal })
    const reading = read(response)
    await turn()
    abort()
    expect(await rejection(reading)).toBe(reason)
    await vi.waitFor(() => expect(service.live()).toHaveLength(0))
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it.each([0, 10])('ends an unread body, %d ms after its head', async (ms) => {
    const service = await startService((_, response) => response.write('half'))
    const { send } = useTransport()
    const { signal, reason, abort } = useAbort()
    const response = await send(service.url, { signal })
    if (ms > 0) await wait(ms)
    abort()
    await vi.waitFor(() => expect(service.live()).toHaveLength(0))
    expect(await rejection(response.text())).toBe(reason)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('keeps nothing of a call that has ended, and does nothing to it', async () => {
    const service = await startService((_, response) => response.setHeader('content-length', '2').end('{}'))
    const { send } = useTransport()
    const { signal, abort } = useAbort()
    const [unread, head] = [await send(service.url, { signal }), await send(service.url, { signal, method: 'HEAD' })]
    await turn()
    expect(getEventListeners(signal, 'abort')).toEqual([])
    abort()
    expect([await unread.text(), head.status]).toEqual(['{}', 200])
    await turn()
    expect(service.live()).toHaveLength(service.connections.length)
  })
})

describe('a connection that is never made', () => {
  function useFakeTimers() {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
  }

  it.each([
    ['in plain', 'http://a.example:81/', 'a.example:81'],
    ['over TLS', 'https://a.example/', 'a.example'],
  ])('is given up after 10 s, %s', async (_, url, host) => {
    useFakeTimers()
    for (const module of [http, https]) {
      const { request } = module
      const spy = vi
        .spyOn(module, 'request')
        .mockImplementation(((given: http.RequestOptions) => request({ ...given, ...LOST_NAME })) as never)
      onTestFinished(() => spy.mockRestore())
    }
    const { send } = useTransport()
    const { signal } = useAbort()
    const failed = vi.fn()
    const call = send(url, { signal }).catch(failed)
    await vi.advanceTimersByTimeAsync(9_999)
    expect(failed).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    await call
    const [error] = failed.mock.calls[0] as [Error]
    expect(error).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect' })
    expect(error.message).toBe(`no connection to ${host} within 10000 ms`)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('includes the TLS handshake', async () => {
    const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
    })
    useFakeTimers()
    const { send } = useTransport()
    const call = rejection(send(`https://127.0.0.1:${(server.address() as { port: number }).port}/`))
    await once(server, 'connection')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await call).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect' })
  })

  it('has nothing to do with one that was made, or that failed', async () => {
    trustServices()
    const services = [await startService(), await startService(undefined, { isTls: true, host: 'localhost' })]
    const { send } = useTransport()
    const port = await findClosedPort()
    useFakeTimers()
    for (const service of services) {
      expect(await (await send(service.url)).text()).toBe('{}')
      expect(vi.getTimerCount()).toBe(0)
      expect(await (await send(service.url)).text()).toBe('{}')
    }
    await rejection(send(`http://127.0.0.1:${port}`))
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(0))
  })
})

describe('a slow response', () => {
  /** Each limit that a socket, an agent or a request of Node.js has, far below the time that the service takes. */
  const LIMIT_MS = 30
  const SLOW_MS = 200

  const respond: Respond = (_, response) => {
    setTimeout(() => response.write('{"slow":'), SLOW_MS)
    setTimeout(() => response.end('true}'), 2 * SLOW_MS)
  }

  it('is bounded by `timeout` alone', async () => {
    const service = await startService(respond)
    const timeouts: string[] = []
    const { request } = http
    const spy = vi.spyOn(http, 'request').mockImplementation(((given: http.RequestOptions) => {
      Object.assign((given.agent as unknown as { options: object }).options, { timeout: LIMIT_MS })
      const made = request(given)
      made
        .on('timeout', () => timeouts.push('request'))
        .on('socket', (socket) => {
          socket.setTimeout(LIMIT_MS).on('timeout', () => timeouts.push('socket'))
        })
      return made
    }) as typeof request)
    onTestFinished(() => spy.mockRestore())
    const createAi = (timeout: number) =>
      createServices({
        services: { ai: { url: service.url, region: 'us-east-1', signingName: 'execute-api' } },
        credentials: IDENTITY,
        timeout,
      }).ai
    expect(await createAi(600_000).get('first').json()).toEqual({ slow: true })
    expect(await createAi(600_000).get('reused').json()).toEqual({ slow: true })
    expect(await createAi(600_000).post('any', { timeout: false }).json()).toEqual({ slow: true })
    // The limits were there, and have passed.
    expect(new Set(timeouts)).toEqual(new Set(['request', 'socket']))
    expect(service.seen.map(({ target }) => target)).toEqual(['/first', '/reused', '/any'])
    expect(
      await rejection(
        createAi(SLOW_MS / 2)
          .post('late')
          .json(),
      ),
    ).toMatchObject({ name: 'ServiceTimeoutError' })
  })
})

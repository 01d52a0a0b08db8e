import { execFile } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompressSync, createGzip, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import {
  createServices,
  createSignedFetch,
  type ServiceError,
  ServiceNetworkError,
  ServiceRequestError,
  type ServiceResponseError,
} from 'middy-signed-services'
import { reply } from 'middy-signed-services/testing'
import { fetch } from 'middy-signed-services/undici'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Exchange } from '../../../src/transport/exchange.ts'
import { ReceivedBody } from '../../../src/transport/received-body.ts'
import { ReceivedResponse } from '../../../src/transport/received-response.ts'
import { startTlsService } from '../../platform/connections/tls-service.ts'
import { rejection, setEnv, TRACE_ID, useGateway } from '../../support/helpers.ts'

type Respond = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

interface Seen {
  readonly method: string | undefined
  readonly target: string | undefined
  readonly headers: readonly string[]
  readonly body: string
}

interface Service {
  readonly url: string
  readonly seen: Seen[]
  readonly connections: Socket[]
  readonly live: () => Socket[]
}

/** A service that keeps idle connections as they are, and notes what it gets. */
async function startService(respond: Respond = (_, response) => response.end('{}')): Promise<Service> {
  const seen: Seen[] = []
  const connections: Socket[] = []
  const server = createServer({ keepAliveTimeout: 0 }, async (request, response) => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      // Its caller has gone.
      return
    }
    const { method, url: target, rawHeaders } = request
    const body = Buffer.concat(chunks)
    const headers = pairs(rawHeaders).map((pair) => pair.join(': '))
    seen.push({ method, target, headers: headers.toSorted(), body: body.toString('latin1') })
    respond(request, response, body)
  })
  server.on('connection', (socket) => connections.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    connections,
    live: () => connections.filter(({ destroyed }) => !destroyed),
  }
}

/** A connection is free again some turns of the event loop after its answer. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 10))

const manual = (init: RequestInit = {}): RequestInit => ({ redirect: 'manual', ...init })

const pairs = (list: readonly string[]) =>
  list.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), list[at + 1]] as const] : []))

function describeError(error: unknown): unknown {
  const { name, message, cause } = error as Error
  return { name, message, code: (cause as { code?: unknown } | undefined)?.code }
}

type Read = (response: Response) => unknown
type Bytes = Response & { bytes(): Promise<Uint8Array> }
const READERS: Readonly<Record<string, Read>> = {
  text: (response) => response.text(),
  json: (response) => response.json(),
  bytes: async (response) => Buffer.from(await (response as Bytes).bytes()).toString('latin1'),
  arrayBuffer: async (response) => Buffer.from(await response.arrayBuffer()).toString('latin1'),
  blob: async (response) => {
    const blob = await response.blob()
    return [blob.type, Buffer.from(await blob.arrayBuffer()).toString('latin1')]
  },
  stream: async (response) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of response.body ?? []) chunks.push(chunk)
    return [response.body === null, Buffer.concat(chunks).toString('latin1')]
  },
  clone: async (response) => {
    const clone = response.clone()
    const again = clone.clone()
    const { status, statusText, ok, type, url, redirected } = again
    const texts = await Promise.all([response.text(), clone.text(), again.text()])
    return [texts, { status, statusText, ok, type, url, redirected }, [...again.headers], clone instanceof Response]
  },
}

/** All that a caller sees of a call. */
async function callBy(transport: typeof fetch, url: string, init: RequestInit, read: Read): Promise<unknown> {
  try {
    const response = await transport(url, init)
    const { status, statusText, ok, type, redirected, headers } = response
    const before = response.bodyUsed
    const outcome = await (async () => read(response))().catch(describeError)
    const head = { status, statusText, ok, type, redirected, url: response.url, cookies: headers.getSetCookie() }
    return { ...head, headers: [...headers], before, outcome, after: response.bodyUsed }
  } catch (error) {
    return describeError(error)
  }
}

const LONG = Buffer.from(Array.from({ length: 5_000_000 }, (_, at) => at % 251))

const ANSWERS: Readonly<Record<string, Respond>> = {
  json: (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"a":"é"}'),
  'not json': (_, response) => response.end('<html>'),
  'byte order mark': (_, response) => response.end('\ufeff{}'),
  empty: (_, response) => response.end(),
  'no content': (_, response) => response.writeHead(204).end(),
  'reset content': (_, response) => response.writeHead(205).end(),
  'reset content, with a body': (_, response) => response.writeHead(205).end('body'),
  'multiple choices': (_, response) => response.writeHead(300).end('{}'),
  'not modified': (_, response) => response.writeHead(304, { etag: '"1"' }).end(),
  redirect: (_, response) => response.writeHead(302, { location: '/elsewhere' }).end('moved'),
  error: (_, response) => response.writeHead(503, 'Out of Order').end('{"message":"later"}'),
  'odd status': (_, response) => response.writeHead(999, '').end('{}'),
  cookies: (_, response) => response.setHeader('set-cookie', ['a=1; Path=/', 'b=2']).setHeader('x-b', ['1', '2']).end(),
  latin1: (_, response) => response.setHeader('x-name', 'é').end(),
  interim: (_, response) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' })
    response.end('{}')
  },
  chunked: (_, response) => {
    response.write('{"a"')
    setTimeout(() => response.end(':1}'), 10)
  },
  long: (_, response) => response.end(LONG),
  'long, chunked': (_, response) => {
    for (let at = 0; at < LONG.length; at += 100_000) response.write(LONG.subarray(at, at + 100_000))
    response.end()
  },
  form: (_, response) => response.setHeader('content-type', 'application/x-www-form-urlencoded').end('a=1&b=2'),
  gzip: encoded('gzip', gzipSync('{"a":"é"}')),
  'x-gzip': encoded('x-gzip', gzipSync('{"a":"é"}')),
  deflate: encoded('deflate', deflateSync('{"a":"é"}')),
  'raw deflate': encoded('deflate', deflateRawSync('{"a":"é"}')),
  brotli: encoded('br', brotliCompressSync('{"a":"é"}')),
  'several codings': encoded('gzip, BR', brotliCompressSync(gzipSync('{"a":"é"}'))),
  'five codings': encoded(
    'gzip,gzip,gzip,gzip,gzip',
    [1, 2, 3, 4, 5].reduce((body) => gzipSync(body), Buffer.from('{}')),
  ),
  'brotli, cut off': encoded('br', brotliCompressSync(LONG).subarray(0, -10)),
  'an unknown coding': encoded('gzip, rot13', gzipSync('{}')),
  'gzip, long': encoded('gzip', gzipSync(LONG)),
  'gzip, empty': encoded('gzip', Buffer.alloc(0)),
  'gzip, cut off': encoded('gzip', gzipSync('{"a":1}').subarray(0, 22)),
  'gzip, broken': encoded('gzip', Buffer.from('not gzip at all')),
  'gzip, no content': (_, response) => response.writeHead(204, { 'content-encoding': 'gzip' }).end(),
  'half an answer': (_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('half')
    setTimeout(() => response.destroy(), 20)
  },
  'half a chunk': (_, response) => {
    response.write('half')
    setTimeout(() => response.destroy(), 20)
  },
  'half, in gzip': (_, response) => {
    response.writeHead(200, { 'content-length': '1000', 'content-encoding': 'gzip' }).write(gzipSync('{"a":1}'))
    setTimeout(() => response.destroy(), 20)
  },
  'nothing yet, in gzip': (_, response) => {
    response.writeHead(200, { 'content-length': '1000', 'content-encoding': 'gzip' }).flushHeaders()
    setTimeout(() => response.destroy(), 20)
  },
  nothing: (request) => request.socket.destroy(),
  reset: (request) => request.socket.resetAndDestroy(),
  'not HTTP': (request) => request.socket.end('SSH-2.0-OpenSSH_9.9\r\n'),
}

function encoded(contentEncoding: string, body: Buffer): Respond {
  return (_, response) => response.setHeader('content-encoding', contentEncoding).end(body)
}

/** Requests of every kind, each as the built-in `fetch` sends it. */
const REQUESTS: Readonly<Record<string, (url: string) => readonly [string | URL | Request, RequestInit?]>> = {
  GET: (url) => [url, manual()],
  HEAD: (url) => [url, manual({ method: 'HEAD' })],
  'POST, nothing': (url) => [url, manual({ method: 'POST' })],
  'PUT, null': (url) => [url, manual({ method: 'PUT', body: null })],
  'PATCH, nothing': (url) => [url, manual({ method: 'PATCH' })],
  'DELETE, nothing': (url) => [url, manual({ method: 'DELETE' })],
  'DELETE, text': (url) => [url, manual({ method: 'DELETE', body: 'x' })],
  OPTIONS: (url) => [url, manual({ method: 'OPTIONS' })],
  text: (url) => [url, manual({ method: 'POST', body: 'é' })],
  'empty text': (url) => [url, manual({ method: 'POST', body: '' })],
  'text of a type': (url) => [url, manual({ method: 'POST', body: '{}', headers: { 'Content-Type': 'a/b' } })],
  bytes: (url) => [url, manual({ method: 'POST', body: new Uint8Array([0, 1, 2, 255, 4]).subarray(1, 4) })],
  'no bytes': (url) => [url, manual({ method: 'POST', body: new Uint8Array(0) })],
  'a Buffer': (url) => [url, manual({ method: 'PUT', body: Buffer.from('abc') })],
  '5 MB': (url) => [url, manual({ method: 'POST', body: LONG })],
  'a URL': (url) => [new URL(`${url}/a%20b/%C3%BC//c?d=1&d=2&e#hash`), manual()],
  'a URL to be normalized': (url) => [`${url}/a b/../ü?q=ä ö`, manual()],
  'a list of headers': (url) => [
    url,
    manual({
      headers: [
        ['x-a', '1'],
        ['X-A', ' 2 '],
        ['x-b', 'é'],
      ],
    }),
  ],
  'Headers, those of fetch too': (url) => [
    url,
    manual({
      headers: new Headers({ accept: 'a/b', 'accept-language': 'de', 'user-agent': 'me', 'sec-fetch-mode': 'x' }),
    }),
  ],
  'accept-encoding': (url) => [url, manual({ headers: { 'accept-encoding': 'br' } })],
  'a range': (url) => [url, manual({ headers: { range: 'bytes=0-1' } })],
  'a host, which stays the own one': (url) => [url, manual({ headers: { host: 'example.com' } })],
  'connection: close': (url) => [url, manual({ headers: { connection: 'close' } })],
  'a signal': (url) => [url, manual({ signal: new AbortController().signal })],
  'no signal': (url) => [url, manual({ signal: null })],
  // Refused, by undici or before.
  expect: (url) => [url, manual({ method: 'POST', body: 'a', headers: { expect: '100-continue' } })],
  'keep-alive': (url) => [url, manual({ headers: { 'keep-alive': '1' } })],
  'a bad header': (url) => [url, manual({ headers: { 'x-a': '\n' } })],
  'a GET with a body': (url) => [url, manual({ body: 'a' })],
  'a HEAD with a body': (url) => [url, manual({ method: 'HEAD', body: new Uint8Array(1) })],
  TRACE: (url) => [url, manual({ method: 'TRACE' })],
  'no method': (url) => [url, manual({ method: 'a b' })],
  'a user': (url) => [url.replace('//', '//user@'), manual()],
  'a password': (url) => [url.replace('//', '//:password@'), manual()],
  'no URL': () => ['/relative', manual()],
  'no HTTP': () => ['ftp://127.0.0.1/', manual()],
  // Left to the built-in one.
  'a URL alone': (url) => [url],
  'data:': () => ['data:text/plain,%7B%7D', manual()],
  'redirects followed': (url) => [url, { redirect: 'follow' }],
  'redirects refused': (url) => [url, { redirect: 'error' }],
  'lower case': (url) => [url, manual({ method: 'post', body: 'a' })],
  'a Request': (url) => [new Request(url, manual({ method: 'POST', body: 'a' }))],
  'a Request, changed': (url) => [new Request(url, { method: 'POST', body: 'a' }), manual({ headers: { 'x-a': '1' } })],
  'a form': (url) => [url, manual({ method: 'POST', body: new URLSearchParams({ a: '1' }) })],
  'a Blob': (url) => [url, manual({ method: 'POST', body: new Blob(['a'], { type: 'a/b' }) })],
  'an ArrayBuffer': (url) => [url, manual({ method: 'POST', body: new Uint8Array([1, 2]).buffer })],
  'a stream': (url) => [url, manual({ method: 'POST', body: new Blob(['a']).stream(), duplex: 'half' })],
  'a right digest': (url) => [url, manual({ integrity: 'sha256-RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=' })],
  'a wrong digest': (url) => [url, manual({ integrity: 'sha256-AAAA' })],
}

/** Those of them that are left to the built-in one. */
const LEFT: readonly string[] = [
  ...['a GET with a body', 'a HEAD with a body', 'TRACE', 'no method', 'a user', 'a password', 'no URL', 'no HTTP'],
  ...[
    'a URL alone',
    'data:',
    'redirects followed',
    'redirects refused',
    'lower case',
    'a Request',
    'a Request, changed',
  ],
  ...['a form', 'a Blob', 'an ArrayBuffer', 'a stream', 'a right digest', 'a wrong digest'],
]

describe('what goes out is what the built-in fetch sends', () => {
  it.each(Object.keys(REQUESTS))('%s', async (name) => {
    const service = await startService((request, response) => {
      response.setHeader('date', 'Tue, 24 Nov 2026 12:00:00 GMT')
      if (request.url === '/redirect') response.writeHead(302, { location: '/elsewhere' })
      response.end('{}')
    })
    const callWith = (transport: typeof fetch) => {
      const [input, init] = REQUESTS[name]?.(service.url) ?? ['']
      return callBy(
        (input, init) => transport(input, init),
        input as string,
        init as RequestInit,
        (one) => one.text(),
      )
    }
    const expected = await callWith(globalThis.fetch)
    const sent = service.seen.splice(0)
    const builtIn = watchBuiltIn()
    expect(await callWith(fetch)).toEqual(expected)
    expect(service.seen).toEqual(sent)
    expect(builtIn).toHaveBeenCalledTimes(LEFT.includes(name) ? 1 : 0)
  })

  it('but not with a wrong content-length', async () => {
    const service = await startService()
    const init = manual({ method: 'POST', body: 'abc', headers: { 'content-length': '1' } })
    expect(describeError(await rejection(fetch(service.url, init)))).toMatchObject({
      message: 'fetch failed',
      code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
    })
    expect(service.seen).toEqual([])
  })

  it('to nobody, and fails alike', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await promisify(server.close.bind(server))()
    const ours = describeError(await rejection(fetch(url, manual())))
    expect(ours).toEqual(describeError(await rejection(globalThis.fetch(url, manual()))))
    expect(ours).toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('a redirect that is followed', async () => {
    const service = await startService((request, response) => {
      if (request.url === '/old') response.writeHead(302, { location: '/new' })
      response.end(request.url)
    })
    const response = await fetch(`${service.url}/old`)
    expect([response.redirected, await response.text()]).toEqual([true, '/new'])
  })

  it('over TLS', async () => {
    const service = await startTlsService()
    onTestFinished(service.close)
    const created: unknown[] = []
    const note = (message: unknown) => {
      const { request } = message as { request: { method: string; path: string; headers: string[] } }
      created.push([request.method, request.path, Object.fromEntries(pairs(request.headers))])
    }
    subscribe('undici:request:create', note)
    onTestFinished(() => {
      unsubscribe('undici:request:create', note)
    })
    const url = `${service.url}/path?q`
    // Nobody here trusts its certificate.
    const builtIn = watchBuiltIn()
    const ours = describeError(await rejection(fetch(url, manual())))
    expect(builtIn).not.toHaveBeenCalled()
    expect(ours).toEqual(describeError(await rejection(globalThis.fetch(url, manual()))))
    expect(created[0]).toMatchObject(['GET', '/path?q', { 'accept-encoding': 'br, gzip, deflate' }])
    if (process.version.startsWith('v24.')) expect(created[0]).toEqual(created[1])
  })

  it('a form of parts', async () => {
    const service = await startService()
    const body = new FormData()
    body.set('a', '1')
    await (await fetch(service.url, manual({ method: 'POST', body }))).text()
    expect(service.seen[0]?.body).toContain('name="a"')
  })

  it("a call with the caller's own dispatcher", async () => {
    const service = await startService()
    const builtIn = Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.1'))
    const dispatch = vi.spyOn(builtIn, 'dispatch')
    onTestFinished(() => dispatch.mockRestore())
    await (await fetch(service.url, manual({ dispatcher: builtIn }))).text()
    expect(dispatch).toHaveBeenCalledOnce()
  })
})

describe('what the caller gets is what the built-in fetch gives', () => {
  it.each(Object.keys(ANSWERS))('%s', async (name) => {
    const service = await startService((request, response, body) => {
      response.setHeader('date', 'Tue, 24 Nov 2026 12:00:00 GMT')
      ANSWERS[name]?.(request, response, body)
    })
    const url = `${service.url}/path?q=1#hash`
    for (const [reader, read] of Object.entries(READERS)) {
      const expected = await callBy(globalThis.fetch, url, manual(), read)
      expect(await callBy(fetch, url, manual(), read), reader).toEqual(expected)
    }
    const init = manual({ method: 'HEAD' })
    expect(await callBy(fetch, url, init, READERS.stream as Read)).toEqual(
      await callBy(globalThis.fetch, url, init, READERS.stream as Read),
    )
    const [ours, builtIn] = [service.seen.filter((_, at) => at % 2 === 0), service.seen.filter((_, at) => at % 2 === 1)]
    expect(ours).toEqual(builtIn)
  })
})

/** Looks on while the built-in `fetch` is called. */
function watchBuiltIn() {
  const watched = vi.spyOn(globalThis, 'fetch')
  onTestFinished(() => {
    watched.mockRestore()
  })
  return watched
}

describe('a body', () => {
  const ways: Readonly<Record<string, Read>> = {
    twice: async (response) => [await response.text(), await response.text()],
    'whole, of which nobody has waited for the first': (response) => {
      response.text()
      return (response as Bytes).bytes()
    },
    'whole, then as a stream': async (response) => {
      await response.text()
      return response.body?.getReader()
    },
    'whole, then cloned': async (response) => {
      await response.arrayBuffer()
      return response.clone()
    },
    'whole, while it is locked': (response) => {
      const reading = response.text()
      const isLocked = response.body?.locked
      return reading.then((text) => [isLocked, response.bodyUsed, text])
    },
    'whole, after its stream was looked at': (response) => response.body && response.text(),
    'as JSON, after its stream was looked at': (response) => response.body && response.json(),
    'as bytes, after its stream was looked at': async (response) =>
      response.body && [...(await (response as Bytes).bytes())],
    'whole, after a reader took its stream': (response) => response.body?.getReader() && response.text(),
    'cloned, after a reader took its stream': (response) => response.body?.getReader() && response.clone(),
    'as a form': async (response) => [...(await response.formData())],
    'not at all': (response) => [response.body?.locked, response.bodyUsed],
    'by a reader of its own memory': async (response) => {
      const reader = response.body?.getReader({ mode: 'byob' })
      const parts: string[] = []
      for (;;) {
        const part = await reader?.read(new Uint8Array(2))
        if (part === undefined || part.done) return [parts.join(''), part?.done, part?.value?.length]
        parts.push(Buffer.from(part.value).toString())
      }
    },
  }

  it.each(Object.keys(ways))('is read as that of the built-in fetch: %s', async (name) => {
    const service = await startService((_, response) =>
      response.setHeader('content-type', 'application/x-www-form-urlencoded').end('a=1&b=2'),
    )
    const outcome = async (transport: typeof fetch) => {
      const response = await transport(service.url, manual())
      const read = ways[name] as Read
      const result = await (async () => read(response))().catch((error) => error.name)
      return result instanceof Object && !Array.isArray(result) ? result.constructor.name : result
    }
    expect(await outcome(fetch)).toEqual(await outcome(globalThis.fetch))
  })

  it('is text as any decoder reads it, wherever its bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 8 })), async (parts) => {
        const create = () => {
          const body = new ReceivedBody(() => {})
          for (const part of parts) body.push(Buffer.from(part))
          body.end()
          const url = new URL('http://localhost/')
          return new ReceivedResponse({ status: 200, statusText: '', headers: new Headers(), url }, body)
        }
        const expected = new Response(Buffer.concat(parts))
        expect(await create().text()).toBe(await expected.clone().text())
        expect(await create().bytes()).toEqual(new Uint8Array(await expected.clone().arrayBuffer()))
        expect((await create().bytes()).buffer.byteLength).toBe((await expected.arrayBuffer()).byteLength)
      }),
    )
  })

  const SIZE = 64_000_000

  it.each(['identity', 'gzip'])(
    'that nobody reads holds its service back, and comes whole all the same: %s',
    async (coding) => {
      let sent = 0
      const block = Buffer.from(Array.from({ length: 1_000_000 }, () => Math.floor(Math.random() * 256)))
      const service = await startService(async (_, response) => {
        const target = coding === 'gzip' ? createGzip({ level: 0 }) : response
        response.setHeader('content-encoding', coding)
        if (target !== response) target.pipe(response)
        for (; sent < SIZE; sent += block.length) if (!target.write(block)) await once(target, 'drain')
        target.end()
      })
      const response = await fetch(service.url, manual())
      let before = -1
      while (before !== sent) {
        before = sent
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      expect(sent).toBeLessThan(SIZE / 2)
      if (coding === 'gzip') {
        let size = 0
        for await (const chunk of response.body ?? []) size += chunk.length
        expect(size).toBe(SIZE)
      } else {
        expect((await response.arrayBuffer()).byteLength).toBe(SIZE)
      }
    },
  )

  it.each(['identity', 'gzip'])('that is cancelled ends its connection: %s', async (coding) => {
    const service = await startService((_, response) => {
      response.setHeader('content-encoding', coding).write(coding === 'gzip' ? gzipSync('half') : 'half')
    })
    const response = await fetch(service.url, manual())
    const reader = response.body?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('half')
    const pending = reader?.read()
    await reader?.cancel(new Error('enough'))
    expect(await pending).toEqual({ done: true, value: undefined })
    await vi.waitFor(() => expect(service.connections[0]?.destroyed).toBe(true))
  })

  it('that is cancelled after it has come leaves its connection', async () => {
    const service = await startService()
    const response = await fetch(service.url, manual())
    await turn()
    await response.body?.cancel()
    await (await fetch(service.url, manual())).text()
    expect(service.connections).toHaveLength(1)
  })

  it('that breaks off tells so, whether somebody is waiting or not', async () => {
    const service = await startService(ANSWERS['half an answer'])
    const open = async () => (await fetch(service.url, manual())).body?.getReader() as ReadableStreamDefaultReader
    const failure = { name: 'TypeError', message: 'terminated', code: 'UND_ERR_SOCKET' }
    const failureOf = async (promise: Promise<unknown>) => describeError(await rejection(promise))
    expect(await failureOf((await open()).closed)).toEqual(failure)
    const reading = await open()
    await reading.read()
    expect(await failureOf(reading.closed)).toEqual(failure)
    const [late, unread] = [await fetch(service.url, manual()), await fetch(service.url, manual())]
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await failureOf(late.body?.getReader().closed as Promise<unknown>)).toEqual(failure)
    expect(await failureOf(unread.text())).toEqual(failure)
  })

  it.each(['no content', 'reset content, with a body', 'empty'])(
    'without a body leaves its connection: %s',
    async (name) => {
      const service = await startService(ANSWERS[name])
      for (let count = 0; count < 2; count += 1) {
        await (await fetch(service.url, manual())).text()
        await turn()
      }
      expect(service.connections).toHaveLength(1)
    },
  )

  it('that is none has nothing to take and nothing to end', () => {
    const asked = { method: 'GET', url: new URL('http://h.example/'), signal: undefined }
    const resolve = vi.fn()
    const reject = vi.fn()
    const exchange = new Exchange(asked, resolve, reject)
    exchange.onResponseStart({} as never, 204, {}, 'No Content')
    exchange.onResponseData({} as never, Buffer.from('a'))
    exchange.onResponseEnd()
    expect([resolve.mock.calls.length, reject.mock.calls.length]).toEqual([1, 0])
  })

  it('is read 64 KB ahead', () => {
    const body = new ReceivedBody(() => {})
    expect(body.push(Buffer.alloc(65_535))).toBe(true)
    expect(body.push(Buffer.alloc(1))).toBe(false)
  })

  it('with more codings than anybody has is left as it is', async () => {
    const service = await startService(encoded('gzip,gzip,gzip,gzip,gzip,gzip', Buffer.from('bomb')))
    expect(await (await fetch(service.url, manual())).text()).toBe('bomb')
  })
})

describe('a signal', () => {
  const REASON = new Error('the reason')

  it('that has aborted lets nothing out', async () => {
    const service = await startService()
    const signal = AbortSignal.abort(REASON)
    expect(await rejection(fetch(service.url, manual({ signal })))).toBe(REASON)
    expect(service.connections).toEqual([])
  })

  it('ends a call that waits for a connection', async () => {
    const service = await startService()
    const controller = new AbortController()
    const call = fetch(service.url, manual({ signal: controller.signal }))
    controller.abort(REASON)
    expect(await rejection(call)).toBe(REASON)
    await turn()
    await (await fetch(service.url, manual())).text()
    expect(service.seen).toHaveLength(1)
  })

  it('ends a call that waits for its answer', async () => {
    const service = await startService(() => {})
    const { signal, abort } = useAbort()
    const call = fetch(service.url, manual({ signal }))
    await vi.waitFor(() => expect(service.seen).toHaveLength(1))
    abort()
    expect(await rejection(call)).toBe(REASON)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    await vi.waitFor(() => expect(service.connections[0]?.destroyed).toBe(true))
  })

  it.each([
    ['whole', 'identity', (response: Response) => response.text()],
    ['its stream', 'identity', (response: Response) => response.clone().text()],
    ['encoded', 'gzip', (response: Response) => response.text()],
  ])('ends a body that is being read, %s', async (_, coding, read) => {
    const service = await startService((_, response) => {
      response.setHeader('content-encoding', coding).write(coding === 'gzip' ? gzipSync('half') : 'half')
    })
    const { signal, abort } = useAbort()
    const response = await fetch(service.url, manual({ signal }))
    const reading = read(response)
    await turn()
    abort()
    expect(await rejection(reading)).toBe(REASON)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    await vi.waitFor(() => expect(service.connections[0]?.destroyed).toBe(true))
  })

  it('ends a body that nobody reads yet', async () => {
    const service = await startService((_, response) => response.write('half'))
    const { signal, abort } = useAbort()
    const response = await fetch(service.url, manual({ signal }))
    abort()
    expect(await rejection(response.text())).toBe(REASON)
    await vi.waitFor(() => expect(service.connections[0]?.destroyed).toBe(true))
  })

  it('keeps nothing of a call that has ended, and does nothing to it', async () => {
    const service = await startService()
    const { signal, abort } = useAbort()
    const response = await fetch(service.url, manual({ signal }))
    await turn()
    expect(getEventListeners(signal, 'abort')).toEqual([])
    abort()
    expect(await response.text()).toBe('{}')
    const failing = await startService(ANSWERS.nothing)
    const controller = new AbortController()
    await rejection(fetch(failing.url, manual({ signal: controller.signal })))
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    expect(service.live()).toHaveLength(1)
  })

  function useAbort() {
    const controller = new AbortController()
    return { signal: controller.signal, abort: () => controller.abort(REASON) }
  }
})

describe('a connection', () => {
  /** The clock alone goes on: as after a freeze, no timer has run for it. */
  function useClock() {
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    return (ms: number) => vi.setSystemTime(Date.now() + ms)
  }
  const call = async (url: string, init: RequestInit = { method: 'POST', body: '{}' }) => {
    const text = await (await fetch(url, manual(init))).text()
    await turn()
    return text
  }

  it('serves calls 6 s and 25 s apart, and a fresh one those after more than 30 s', async () => {
    const service = await startService()
    const pass = useClock()
    for (const pause of [0, 6_000, 25_000, 30_000]) {
      pass(pause)
      await call(service.url)
    }
    expect(service.connections).toHaveLength(1)
    pass(30_001)
    await call(service.url)
    expect(service.connections).toHaveLength(2)
    await vi.waitFor(() => expect(service.connections.map(({ destroyed }) => destroyed)).toEqual([true, false]))
  })

  /** There, whoever loads undici puts its dispatcher in the place of that of the built-in `fetch`. */
  const isReplaced = process.versions.node.startsWith('22.')

  it.skipIf(isReplaced)('serves calls of the kind that the built-in fetch sends, too', async () => {
    const service = await startService()
    const pass = useClock()
    for (const pause of [0, 6_000, 25_000]) {
      pass(pause)
      await call(service.url, { redirect: 'follow' })
    }
    expect(service.connections).toHaveLength(1)
    pass(30_001)
    await call(service.url, { redirect: 'follow' })
    expect(service.connections).toHaveLength(2)
  })

  it('of the built-in fetch is left alone', async () => {
    const script = `
      import '${join(import.meta.dirname, '..', '..', '..', 'src', 'undici.ts')}'
      import { Agent } from 'undici'
      await fetch('data:,')
      const dispatchers = [1, 2].map((version) => globalThis[Symbol.for('undici.globalDispatcher.' + version)])
      process.exitCode = dispatchers.some((dispatcher) => dispatcher instanceof Agent) ? 1 : 0`
    const args = ['--input-type=module', '--eval', script]
    const run = promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname })
    if (isReplaced) await rejection(run)
    else await run
  })

  it('is left to finish what is on its way', async () => {
    const waiting: ServerResponse[] = []
    const service = await startService((_, response) => waiting.push(response))
    const pass = useClock()
    const early = call(service.url)
    await vi.waitFor(() => expect(waiting).toHaveLength(1))
    pass(60_000)
    const late = call(service.url)
    await vi.waitFor(() => expect(waiting).toHaveLength(2))
    for (const response of waiting) response.end('done')
    expect(await Promise.all([early, late])).toEqual(['done', 'done'])
    await vi.waitFor(() => expect(service.live()).toHaveLength(1))
  })
})

describe('clients on it', () => {
  const routes = {
    ai: {
      'POST /jobs': ({ json }: { json: unknown }) => ({ got: json }),
      'GET /jobs/:id': ({ params }: { params: object }) => params,
      'HEAD /jobs/:id': {},
      'PUT /blobs': ({ body }: { body: Uint8Array }) => ({ size: body.length }),
      'DELETE /jobs/:id': reply(204),
    },
  }

  it('send what is signed', async () => {
    const gateway = await useGateway(routes)
    const { ai } = createServices({ services: ['ai'], fetch })
    expect(await ai.post('jobs', { json: { topic: 'ü' } }).json()).toEqual({ got: { topic: 'ü' } })
    expect(await ai.get("jobs/it's (7)!*", { searchParams: { 'a|b': '+ü', q: '' } }).json()).toEqual({
      id: "it's (7)!*",
    })
    expect(await ai.delete('jobs/7').json()).toBeUndefined()
    expect(await ai.put('blobs', { body: LONG }).json()).toEqual({ size: LONG.length })
    expect((await ai.head('jobs/7')).status).toBe(200)
    const form = new FormData()
    form.set('a', '1')
    expect(await ai.put('blobs', { body: form }).json()).toMatchObject({ size: expect.any(Number) })
    const response = await ai.fetch('jobs', { method: 'POST', body: new URLSearchParams({ a: '1' }) })
    expect(response.status).toBe(200)
    const signed = createSignedFetch({ region: 'us-east-1', service: 'execute-api', fetch })
    expect(await (await signed(`${gateway.url}/ai/jobs/8`)).json()).toEqual({ id: '8' })
    expect(gateway.requests.map(({ signature }) => signature.verified)).toEqual(gateway.requests.map(() => true))
    expect(gateway.requests).toHaveLength(8)
  })

  it('read an answer in one piece, as a stream, and not at all', async () => {
    await useGateway(routes)
    const { ai } = createServices({ services: ['ai'], fetch })
    const response = await ai.fetch('jobs/7')
    expect(response).toBeInstanceOf(Response)
    expect(response).toBeInstanceOf(ReceivedResponse)
    expect([response.bodyUsed, await response.text(), response.bodyUsed]).toEqual([false, '{"id":"7"}', true])
    const second = await ai.fetch('jobs/7')
    expect(await second.clone().json()).toEqual({ id: '7' })
    expect(await (await second.blob()).text()).toBe('{"id":"7"}')
    await ai.fetch('jobs/7')
    await turn()
  })

  it.each([
    'reset-before-read',
    'reset-after-read',
    'half-answer',
    'hang',
    'hang-in-body',
    'access-denied',
    'throttled',
    'integration-timeout',
  ] as const)('fail as they do on the built-in fetch: %s', async (fault) => {
    const gateway = await useGateway(routes)
    const failWith = async (transport: typeof fetch | undefined) => {
      const { ai } = createServices({ services: ['ai'], timeout: 200, fetch: transport })
      gateway.fail('ai *', fault)
      const error = (await rejection(ai.post('jobs', { json: {} }).json())) as ServiceError
      const { name, code, attempts } = error
      const { networkCode, status } = error as Partial<ServiceNetworkError & ServiceResponseError>
      return { name, code, attempts, networkCode, status }
    }
    expect(await failWith(fetch)).toEqual(await failWith(undefined))
  })

  it('make no stream of an answer that is wanted in one piece', async () => {
    const gateway = await useGateway({ ai: { 'GET /x': { a: 1 }, 'DELETE /x': reply(204) } })
    const stream = vi.spyOn(ReceivedBody.prototype, 'stream')
    onTestFinished(() => stream.mockRestore())
    const { ai } = createServices({ services: { ai: gateway.env.AI_SERVICE_API_URL as string }, fetch })
    expect(await ai.get('x').json()).toEqual({ a: 1 })
    expect(await (await ai.fetch('x')).text()).toBe('{"a":1}')
    expect(stream).not.toHaveBeenCalled()
    const empty = await ai.delete('x')
    expect([empty.body, empty.body, empty.status, await empty.text()]).toEqual([null, null, 204, ''])
    await turn()
    expect(await (await ai.get('x')).blob()).toHaveProperty('size', 7)
    expect(stream).toHaveBeenCalledOnce()
  })

  it('retry what may be retried', async () => {
    const gateway = await useGateway(routes)
    const { ai } = createServices({ services: ['ai'], retry: { delay: () => 0 }, fetch })
    gateway.fail('ai *', { fault: 'reset-after-read', times: 1 })
    gateway.fail('ai *', { status: 503, times: 1 })
    expect(await ai.get('jobs/7').json()).toEqual({ id: '7' })
    gateway.fail('ai *', { fault: 'reset-after-read', times: 1 })
    expect(await rejection(ai.post('jobs', { json: {} }).json())).toBeInstanceOf(ServiceNetworkError)
  })

  it('say that nothing was sent where undici refuses it', async () => {
    await useGateway(routes)
    const { ai } = createServices({ services: ['ai'], fetch })
    const error = await rejection(ai.get('jobs/7', { headers: { 'keep-alive': '1' } }).json())
    expect(error).toBeInstanceOf(ServiceRequestError)
    expect(error).toMatchObject({ attempts: 0 })
  })

  it("end with the caller's signal", async () => {
    const gateway = await useGateway(routes)
    gateway.fail('ai *', 'hang-in-body')
    const { ai } = createServices({ services: ['ai'], fetch })
    const controller = new AbortController()
    const reason = new Error('the reason')
    const call = ai.get('jobs/7', { signal: controller.signal }).json()
    await vi.waitFor(() => expect(gateway.requests).toHaveLength(1))
    controller.abort(reason)
    expect(await rejection(call)).toBe(reason)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it("carry one trace, a tracer's in place of theirs", async () => {
    const gateway = await useGateway(routes)
    setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
    const traces = () =>
      gateway.requests.map(({ rawHeaders }) =>
        pairs(rawHeaders).flatMap(([name, value]) => (name === 'x-amzn-trace-id' ? [value] : [])),
      )
    const { ai } = createServices({ services: ['ai'], fetch })
    await ai.get('jobs/7')
    const trace = (message: unknown) => {
      const { request } = message as { request: { addHeader(name: string, value: string): void } }
      request.addHeader('X-Amzn-Trace-Id', 'Root=1-tracer')
    }
    subscribe('undici:request:create', trace)
    onTestFinished(() => {
      unsubscribe('undici:request:create', trace)
    })
    await ai.get('jobs/8')
    expect(traces()).toEqual([[TRACE_ID], ['Root=1-tracer']])
    expect(gateway.requests.every(({ signature }) => signature.verified)).toBe(true)
  })
})

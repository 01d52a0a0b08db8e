import { createServer, type RequestListener } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createServices, type ServiceClient, type SignedServicesOptions } from '../../src/index.ts'
import { findClosedPort, IDENTITY, listen, rejection, resolveHosts } from '../support/helpers.ts'

const METHODS = ['get', 'post'] as const

function createClient(url: string, options: SignedServicesOptions = {}): ServiceClient {
  const { ai } = createServices({
    region: 'eu-central-1',
    credentials: IDENTITY,
    retry: { delay: () => 0 },
    ...options,
    services: { ai: url },
  })
  return ai
}

/** A service that counts the requests that reach it. */
async function startService(listener: RequestListener, port?: number) {
  const methods: string[] = []
  const server = createServer((request, response) => {
    methods.push(String(request.method))
    listener(request, response)
  })
  return { url: `http://127.0.0.1:${await listen(server, port)}`, methods }
}

describe.each(METHODS)('a %s', (method) => {
  it('is sent again where no connection is made', async () => {
    const port = await findClosedPort()
    const error = await rejection(createClient(`http://127.0.0.1:${port}`)[method]('x'))
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_NETWORK',
      networkCode: 'ECONNREFUSED',
      neverConnected: true,
      attempts: 3,
      message: expect.stringContaining(`connect ECONNREFUSED 127.0.0.1:${port}`),
    })
  })

  it('runs once where the service comes up between attempts', async () => {
    const port = await findClosedPort()
    const methods: string[] = []
    const start = async () => {
      const service = await startService((request, response) => {
        methods.push(String(request.method))
        response.end('{"ok":true}')
      }, port)
      expect(service.url).toContain(String(port))
    }
    const hooks = { beforeRetry: [start] }
    const client = createClient(`http://127.0.0.1:${port}`)
    expect(await client[method]('x', { hooks }).json()).toEqual({ ok: true })
    expect(methods).toEqual([method.toUpperCase()])
  })

  it('is sent again where none of the addresses of its host takes a connection', async () => {
    const port = await findClosedPort()
    resolveHosts({ 'api.example.com': ['127.0.0.2', '127.0.0.1'] })
    const error = await rejection(createClient(`http://api.example.com:${port}`, { allowHttp: true })[method]('x'))
    expect(error).toMatchObject({ networkCode: 'ECONNREFUSED', neverConnected: true, attempts: 3 })
    for (const address of ['127.0.0.2', '127.0.0.1']) {
      expect((error as Error).message).toContain(`connect ECONNREFUSED ${address}:${port}`)
    }
  })

  it('is sent again where its host has no address', async () => {
    resolveHosts({})
    expect(await rejection(createClient('https://gone.example.com')[method]('x'))).toMatchObject({
      networkCode: 'ENOTFOUND',
      neverConnected: true,
      attempts: 3,
    })
  })

  const expected = { get: 3, post: 1 }[method]

  it(`reaches a service that resets the connection ${expected} times`, async () => {
    const { url, methods } = await startService((request) => request.socket.resetAndDestroy())
    expect(await rejection(createClient(url)[method]('x'))).toMatchObject({
      code: 'ERR_SERVICE_NETWORK',
      networkCode: 'ECONNRESET',
      neverConnected: false,
      attempts: expected,
    })
    expect(methods).toEqual(Array.from({ length: expected }, () => method.toUpperCase()))
  })

  it(`reaches a service that closes the connection in the middle of a response once`, async () => {
    const { url, methods } = await startService((_, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"half":', () => response.destroy())
    })
    expect(await rejection(createClient(url)[method]('x').json())).toMatchObject({
      code: 'ERR_SERVICE_NETWORK',
      attempts: 1,
    })
    expect(methods).toHaveLength(1)
  })

  it('that cannot be sent is refused, without an attempt', async () => {
    const { url, methods } = await startService((_, response) => response.end('{}'))
    // `Headers` takes it, HTTP does not.
    const headers = { 'x-note': '\u0001' }
    const client = createClient(url, { circuitBreaker: { failureThreshold: 1 } })
    for (const call of [client[method]('x', { headers }), client.fetch('x', { method, headers })]) {
      expect(await rejection(call)).toMatchObject({
        code: 'ERR_SERVICE_REQUEST',
        statusCode: 500,
        attempts: 0,
        message: expect.stringContaining('cannot be sent: '),
      })
    }
    expect(methods).toEqual([])
    await client[method]('x')
    expect(methods).toEqual([method.toUpperCase()])
  })
})

it('a request that cannot be sent after its token was renewed keeps its first attempt', async () => {
  let count = 0
  const fetch = async () => {
    count += 1
    if (count > 1) throw Object.assign(new TypeError('Invalid character'), { code: 'ERR_INVALID_CHAR' })
    return new Response('{}', { status: 403, headers: { 'x-amzn-errortype': 'ExpiredTokenException' } })
  }
  const credentials = async (options?: { forceRefresh?: boolean }) =>
    options?.forceRefresh ? { ...IDENTITY, sessionToken: 'another' } : IDENTITY
  const client = createClient('https://ai.example.com', { fetch, credentials })
  expect(await rejection(client.post('x'))).toMatchObject({ code: 'ERR_SERVICE_REQUEST', attempts: 1 })
})

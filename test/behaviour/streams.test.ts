import { createServer, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import middy from '@middy/core'
import { describe, expect, it, vi } from 'vitest'
import {
  createServices,
  type ServiceClient,
  type ServicesContext,
  type SignedServicesOptions,
  signedServices,
} from '../../src/index.ts'
import { IDENTITY, listen, rejection } from '../support/helpers.ts'
import { startStopwatch } from '../support/stopwatch.ts'

/** A service whose response is what `write` writes. Records which responses were cut. */
async function startService(write: (response: ServerResponse) => Promise<unknown>) {
  const cut: string[] = []
  const server = createServer(async (request, response) => {
    response.on('close', () => {
      if (!response.writableFinished) cut.push(String(request.url))
    })
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    await write(response)
  })
  return { url: `http://127.0.0.1:${await listen(server)}`, cut }
}

/** Server-sent events, one each `ms` milliseconds. */
const events =
  (count: number, ms: number, end = true) =>
  async (response: ServerResponse) => {
    for (let id = 1; id <= count; id += 1) {
      response.write(`data: ${id}\n\n`)
      await sleep(ms)
    }
    if (end) response.end()
  }
const text = (count: number) => Array.from({ length: count }, (_, index) => `data: ${index + 1}\n\n`).join('')

const create = (url: string, options: SignedServicesOptions = {}, own: object = {}): ServiceClient =>
  createServices({
    region: 'eu-central-1',
    credentials: IDENTITY,
    retry: 0,
    ...options,
    services: { ai: { ...own, url } },
  }).ai

const WAYS: readonly (readonly [string, (ai: ServiceClient) => Promise<string>])[] = [
  ['get', (ai) => ai.get('x').text()],
  ['fetch, piece by piece', async (ai) => readBody(await ai.fetch('x'))],
]

async function readBody(response: Response): Promise<string> {
  let received = ''
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    received += Buffer.from(chunk).toString()
  }
  return received
}

describe.each(WAYS)('a stream that is longer than the timeout, by %s,', (_, read) => {
  it('is cut by the timeout', async () => {
    const { url, cut } = await startService(events(15, 20, false))
    expect(await rejection(read(create(url, { timeout: 100 })))).toMatchObject({
      code: 'ERR_SERVICE_TIMEOUT',
      timeoutMs: 100,
      deadline: false,
    })
    await vi.waitFor(() => expect(cut).toEqual(['/x']))
  })

  it.each<[string, SignedServicesOptions, object]>([
    ['for all services', { timeout: false }, {}],
    ['for a service', { timeout: 100 }, { timeout: false }],
  ])('is read to its end with timeout: false %s', async (_name, options, own) => {
    const { url, cut } = await startService(events(10, 20))
    expect(await read(create(url, options, own))).toBe(text(10))
    expect(cut).toEqual([])
  })

  it("is cut at the invocation's deadline with timeout: false, too", async () => {
    const { url } = await startService(events(30, 20))
    const options = { credentials: IDENTITY, region: 'eu-central-1', timeout: false, deadlineMargin: 50 } as const
    const end = performance.now() + 200
    const handler = middy({ timeoutEarlyInMillis: 0 })
      .use(signedServices({ ...options, services: { ai: url } }))
      .handler(async (_event, { services: { ai } }) => read(ai))
    const context = { getRemainingTimeInMillis: () => end - performance.now() }
    expect(await rejection(handler({}, context as ServicesContext<'ai'>))).toMatchObject({
      code: 'ERR_SERVICE_TIMEOUT',
      deadline: true,
    })
  })
})

describe.each(WAYS)('idleTimeout, by %s,', (_, read) => {
  it('ends an attempt whose response does not begin', async () => {
    const server = createServer(() => {})
    const url = `http://127.0.0.1:${await listen(server)}`
    expect(await rejection(read(create(url, { timeout: false, idleTimeout: 60, retry: 0 })))).toMatchObject({
      code: 'ERR_SERVICE_TIMEOUT',
      timeoutMs: 60,
      deadline: false,
    })
  })

  it('ends a stream that has become silent, and its connection', async () => {
    const { url, cut } = await startService(events(3, 10, false))
    const took = startStopwatch()
    expect(await rejection(read(create(url, { timeout: false, idleTimeout: 80 })))).toMatchObject({
      code: 'ERR_SERVICE_TIMEOUT',
      timeoutMs: 80,
      deadline: false,
      message: 'ai: GET /x: no response data for 80 ms',
    })
    expect(took()).toBeLessThan(400)
    await vi.waitFor(() => expect(cut).toEqual(['/x']))
  })

  it('lets a stream go on as long as bytes come', async () => {
    // Longer in all than the timeout, which is far longer than a busy machine makes a pause.
    const { url } = await startService(events(30, 40))
    expect(await read(create(url, { timeout: false, idleTimeout: 900 }))).toBe(text(30))
  })

  it("is a service's own before that of all", async () => {
    const { url } = await startService(events(3, 60))
    expect(await read(create(url, { idleTimeout: 20 }, { idleTimeout: 1_000 }))).toBe(text(3))
    expect(await rejection(read(create(url, { idleTimeout: 1_000 }, { idleTimeout: 20 })))).toMatchObject({
      timeoutMs: 20,
    })
  })

  it('holds for a fetch that is given as an option', async () => {
    const { url, cut } = await startService(events(2, 10, false))
    expect(await rejection(read(create(url, { timeout: false, idleTimeout: 60, fetch })))).toMatchObject({
      code: 'ERR_SERVICE_TIMEOUT',
      timeoutMs: 60,
    })
    await vi.waitFor(() => expect(cut).toEqual(['/x']))
  })
})

describe('idleTimeout', () => {
  it('does not count the time that the reader takes', async () => {
    const chunk = Buffer.alloc(65_536, 'x')
    const { url } = await startService(async (response) => {
      for (let count = 0; count < 64; count += 1) response.write(chunk)
      response.end()
    })
    const { body } = await create(url, { idleTimeout: 500 }).fetch('x')
    const reader = (body as ReadableStream<Uint8Array>).getReader()
    let size = (await reader.read()).value?.byteLength ?? 0
    await sleep(1_000)
    for (let read = await reader.read(); !read.done; read = await reader.read()) size += read.value.byteLength
    expect(size).toBe(64 * chunk.byteLength)
  })

  it('is a failure of the service for a circuit breaker', async () => {
    const { url } = await startService(events(1, 1, false))
    const ai = create(url, { idleTimeout: 20, circuitBreaker: { failureThreshold: 1 } })
    await rejection(ai.get('x').text())
    expect(await rejection(ai.get('x'))).toMatchObject({ code: 'ERR_SERVICE_CIRCUIT_OPEN' })
  })
})

import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createServices, type ServiceClient } from '../../../src/index.ts'
import {
  type LocalGateway,
  mockServices,
  type RouteAnswer,
  reply,
  startLocalGateway,
} from '../../../src/testing/index.ts'
import { foreignHeaders, IDENTITY, rejection, useGateway } from '../../support/helpers.ts'

beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(() => {
  vi.restoreAllMocks()
})

const decode = (chunk: unknown) => Buffer.from(chunk as Uint8Array).toString()

/** A client in front of a route `GET /x`: of the gateway, and of a mock. */
const clients = {
  gateway: async (answer: RouteAnswer): Promise<ServiceClient> => {
    await useGateway({ ai: { 'GET /x': answer, 'HEAD /x': answer } })
    return createServices({ services: ['ai'], retry: 0 }).ai
  },
  mocks: async (answer: RouteAnswer): Promise<ServiceClient> =>
    mockServices({ ai: { 'GET /x': answer, 'HEAD /x': answer } }).ai,
}

/** A stream that gives each chunk on request, and records how it ended. */
function gated() {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const state = { given: 0, end: 'none' }
  async function* chunks() {
    state.end = 'left'
    try {
      for (const [index, gate] of gates.entries()) {
        await gate.promise
        state.given += 1
        yield `chunk ${index}\n`
      }
      state.end = 'finished'
    } finally {
      if (state.end === 'left') state.end = 'returned'
    }
  }
  return { chunks, state, open: (index: number) => gates[index]?.resolve() }
}

/** Chunks of bytes until the reader has had enough. */
function endless() {
  const state = { pulls: 0, cancelled: false }
  const stream = new ReadableStream({
    pull: (controller) => {
      state.pulls += 1
      controller.enqueue(new Uint8Array(65_536))
    },
    cancel: () => {
      state.cancelled = true
    },
  })
  return { stream, state }
}

/** A raw connection. */
async function open(gateway: LocalGateway): Promise<IncomingMessage> {
  const headers = foreignHeaders(gateway, '/ai/x') as Record<string, string>
  const [response] = (await once(get(`${gateway.url}/ai/x`, { headers }), 'response')) as [IncomingMessage]
  return response
}

describe.each(Object.entries(clients))('a route of %s that responds with a stream', (_, clientOf) => {
  it.each<[string, () => unknown]>([
    [
      'an async generator',
      () =>
        (async function* () {
          yield 'grün, '
          yield new Uint8Array([0xc3, 0xbc])
          yield Buffer.from('berall')
        })(),
    ],
    ['a web stream', () => ReadableStream.from(['grün, ', new Uint8Array([0xc3, 0xbc]), 'berall'])],
    ['a Node.js stream', () => Readable.from(['grün, ', Buffer.from('überall')])],
  ])('sends all of %s', async (_, make) => {
    const ai = await clientOf(() => reply(201, make(), { 'content-type': 'text/event-stream', 'x-mine': '1' }))
    const response = await ai.fetch('x')
    expect(response.status).toBe(201)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(response.headers.get('x-mine')).toBe('1')
    expect(response.headers.has('content-length')).toBe(false)
    expect(await response.text()).toBe('grün, überall')
    expect(console.error).not.toHaveBeenCalled()
  })

  it('needs no reply for a 200 of plain text', async () => {
    const ai = await clientOf(async function* () {
      yield '[1,'
      yield '2]'
    })
    const response = await ai.fetch('x')
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain'])
    expect(await response.json()).toEqual([1, 2])
  })

  it('sends each chunk as it comes', async () => {
    const { chunks, state, open } = gated()
    const ai = await clientOf(() => reply(200, chunks()))
    const response = await ai.fetch('x')
    expect(state.given).toBe(0)
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    for (const index of [0, 1, 2]) {
      open(index)
      expect(decode((await reader.read()).value)).toBe(`chunk ${index}\n`)
      expect(state.given).toBe(index + 1)
    }
    expect((await reader.read()).done).toBe(true)
    expect(state.end).toBe('finished')
  })

  it('breaks off if the stream throws, and logs the error', async () => {
    const error = new Error('model overloaded')
    const ai = await clientOf(async function* () {
      yield 'half '
      throw error
    })
    const response = await ai.fetch('x')
    expect(response.status).toBe(200)
    expect(await rejection(response.text())).toMatchObject({ code: 'ERR_SERVICE_NETWORK', networkCode: 'ECONNRESET' })
    expect(console.error).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/^(startLocalGateway|mockServices): the route 'GET \/x' of service 'ai' failed:$/),
      error,
    )
  })

  it('breaks off at a chunk that is neither text nor bytes, and ends the stream', async () => {
    const { stream, state } = endless()
    const source = stream.pipeThrough(
      new TransformStream({ transform: (_, controller) => controller.enqueue({ no: 'bytes' }) }),
    )
    const ai = await clientOf(() => reply(200, source))
    expect(await rejection((await ai.fetch('x')).text())).toMatchObject({ networkCode: 'ECONNRESET' })
    expect(console.error).toHaveBeenCalledExactlyOnceWith(
      expect.any(String),
      new TypeError('a chunk of a stream must be text or bytes, not object'),
    )
    await vi.waitFor(() => expect(state.cancelled).toBe(true))
  })

  it('refuses a stream that is already locked', async () => {
    const { stream } = endless()
    stream.getReader()
    const ai = await clientOf(() => reply(200, stream))
    expect(await rejection(ai.get('x').text())).toMatchObject({
      code: expect.stringMatching(/^ERR_SERVICE_(RESPONSE|REQUEST)$/),
    })
    expect(console.error).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining("the route 'GET /x' of service 'ai' failed:"),
      expect.objectContaining({ name: 'TypeError', message: expect.stringMatching(/locked/) }),
    )
  })

  it('reads no more of it than its reader wants', async () => {
    const { stream, state } = endless()
    const ai = await clientOf(() => reply(200, stream))
    const response = await ai.fetch('x')
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    await sleep(50)
    const { pulls } = state
    await sleep(50)
    expect(state.pulls).toBe(pulls)
    await reader.cancel()
    await vi.waitFor(() => expect(state.cancelled).toBe(true))
  })

  it.each([
    ['HEAD', 200],
    ['GET', 204],
  ])('reads nothing of it for a %s that gets %i', async (method, status) => {
    const { stream, state } = endless()
    const ai = await clientOf(() => reply(status, stream))
    const response = await ai.fetch('x', { method })
    expect([response.status, await response.text()]).toEqual([status, ''])
    await vi.waitFor(() => expect(state.cancelled).toBe(true))
  })
})

describe('the stream of a route of the gateway', () => {
  it('is sent without a length, in chunks', async () => {
    const { chunks, open: openGate } = gated()
    const gateway = await useGateway({ ai: { 'GET /x': () => reply(200, chunks()) } })
    const response = await open(gateway)
    expect(response.headers).toMatchObject({ 'transfer-encoding': 'chunked', 'x-amzn-requestid': expect.any(String) })
    expect(response.headers).not.toHaveProperty('content-length')
    // Recorded by then, so that a test may look.
    expect(gateway.requests).toMatchObject([{ status: 200, path: '/x' }])
    openGate(0)
    expect(decode((await once(response, 'data'))[0])).toBe('chunk 0\n')
    response.destroy()
  })

  it('records the error that it throws', async () => {
    const error = new Error('later')
    const gateway = await useGateway({
      ai: {
        'GET /x': async function* () {
          yield 'a'
          await sleep(10)
          throw error
        },
      },
    })
    const response = await open(gateway)
    response.resume()
    expect(gateway.requests[0]).not.toHaveProperty('error')
    const [broken] = await once(response, 'error')
    expect(broken).toMatchObject({ code: 'ECONNRESET' })
    expect(gateway.requests).toMatchObject([{ status: 200, error }])
  })

  it.each<[string, (ended: () => void) => unknown]>([
    ['a web stream, though it is silent', (ended) => new ReadableStream({ cancel: ended })],
    [
      'an iterable, at its next chunk',
      async function* (ended) {
        try {
          for (;;) {
            await sleep(5)
            yield 'x'
          }
        } finally {
          ended()
        }
      },
    ],
  ])('ends with a client that goes away: %s', async (_, make) => {
    const ended = vi.fn()
    const gateway = await useGateway({ ai: { 'GET /x': () => reply(200, make(ended)) } })
    const response = await open(gateway)
    await sleep(20)
    expect(ended).not.toHaveBeenCalled()
    response.destroy()
    await vi.waitFor(() => expect(ended).toHaveBeenCalledOnce())
    expect(gateway.requests).toMatchObject([{ status: 200 }])
    expect(gateway.requests[0]).not.toHaveProperty('error')
    expect(console.error).not.toHaveBeenCalled()
  })

  it('ends with a client that was gone before it began', async () => {
    const { stream, state } = endless()
    const gateway = await useGateway({ ai: { 'GET /x': () => reply(200, stream) } })
    gateway.fail('ai *', { delay: 60_000 })
    const { ai } = createServices({ services: ['ai'], timeout: 50, retry: 0 })
    expect(await rejection(ai.get('x'))).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' })
    await vi.waitFor(() => expect(state.cancelled).toBe(true))
    expect(gateway.requests).toMatchObject([{ status: 0 }])
  })

  it('ends when the gateway closes', async () => {
    const ended = vi.fn()
    const gateway = await startLocalGateway({
      services: { ai: { 'GET /x': () => reply(200, new ReadableStream({ cancel: ended })) } },
      credentials: IDENTITY,
    })
    const response = await open(gateway)
    response.resume().on('error', () => {})
    await gateway.close()
    await vi.waitFor(() => expect(ended).toHaveBeenCalledOnce())
  })
})

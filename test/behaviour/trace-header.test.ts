import { channel } from 'node:diagnostics_channel'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices, createSignedFetch, type ServiceClient } from '../../src/index.ts'
import type { GatewayRequest, LocalGateway } from '../../src/testing/index.ts'
import { IDENTITY, rejection, setEnv, TRACE_ID, useGateway } from '../support/helpers.ts'

const requestCreated = channel('undici:request:create')

interface CreatedRequest {
  readonly headers: unknown
  addHeader(name: string, value: string): void
}

type Follower = (request: CreatedRequest) => void

/** Follows requests, as tracers do, until the test is over or the function that is returned is called. */
function followRequests(follower: Follower): () => void {
  const listener = (message: unknown) =>
    follower((message as { request: CreatedRequest } | undefined)?.request as CreatedRequest)
  requestCreated.subscribe(listener)
  const stop = () => {
    requestCreated.unsubscribe(listener)
  }
  onTestFinished(stop)
  return stop
}

/** Adds a trace without looking, as Powertools' Tracer does. */
const add =
  (trace: string, name = 'X-Amzn-Trace-Id'): Follower =>
  (request) =>
    request.addHeader(name, trace)

/** Where an exception of a subscriber ends up. */
function listenForUncaught() {
  const uncaught = vi.fn()
  process.prependListener('uncaughtException', uncaught)
  onTestFinished(() => {
    process.off('uncaughtException', uncaught)
  })
  return uncaught
}

/** By path, whether the signature holds, and the traces as they came off the wire. */
const received = ({ requests }: { requests: readonly GatewayRequest[] }) =>
  Object.fromEntries(
    requests.map(({ path, rawHeaders, signature }) => [path, [signature.verified, ...tracesIn(rawHeaders)]]),
  )

const tracesIn = (rawHeaders: readonly string[]) =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'x-amzn-trace-id')

/** A client whose calls, signed already, wait before they reach `fetch`. */
function holdCalls() {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>()
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
  const hold = async (...input: Parameters<typeof fetch>) => {
    reach()
    await opened
    return fetch(...input)
  }
  return { held: createServices({ services: ['ai'], fetch: hold }).ai, reached, open }
}

let gateway: LocalGateway
let ai: ServiceClient
beforeEach(async () => {
  gateway = await useGateway({ ai: { 'GET /jobs/:id': {}, 'POST /jobs': {} } })
  setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
  ai = createServices({ services: ['ai'] }).ai
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('where somebody follows the requests of fetch,', () => {
  it.each([['X-Amzn-Trace-Id'], ['x-amzn-trace-id']])(
    'one trace goes out, the one that was added as %s',
    async (name) => {
      followRequests(add('Root=1-tracer', name))
      await ai.get('jobs/1')
      await ai.fetch('jobs/2')
      await createSignedFetch({ credentials: IDENTITY, region: 'us-east-1', service: 'execute-api' })(
        `${gateway.url}/ai/jobs/3`,
        { headers: { 'x-amzn-trace-id': 'Root=1-caller' } },
      )
      await createServices({ services: ['ai'], trace: false }).ai.get('jobs/4')
      const expected = [true, 'Root=1-tracer']
      expect(received(gateway)).toEqual({
        '/jobs/1': expected,
        '/jobs/2': expected,
        '/jobs/3': expected,
        '/jobs/4': expected,
      })
    },
  )

  it('a value that reads like the name of a header is none', async () => {
    followRequests(add('Root=1-tracer'))
    await ai.get('jobs/1', { headers: { 'a-note': 'authorization', 'x-note': 'x-amzn-trace-id' } })
    expect(received(gateway)).toEqual({ '/jobs/1': [true, 'Root=1-tracer'] })
    expect(gateway.requests[0]?.headers).toMatchObject({ 'a-note': 'authorization', 'x-note': 'x-amzn-trace-id' })
  })

  it('a transport that never settles leaves nobody subscribed after its call', async () => {
    const stop = followRequests(() => {})
    const stuck = createServices({ services: ['ai'], fetch: () => new Promise(() => {}), timeout: 20 }).ai
    expect(await rejection(stuck.get('jobs/1'))).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' })
    stop()
    expect(requestCreated.hasSubscribers).toBe(false)
  })

  it('ours goes out when nothing is added', async () => {
    followRequests(() => {})
    await ai.get('jobs/1')
    expect(received(gateway)).toEqual({ '/jobs/1': [true, TRACE_ID] })
  })

  it('the one that was added last goes out, also of somebody who came while calls were on their way', async () => {
    followRequests(add('Root=1-first'))
    const { held, reached, open } = holdCalls()
    const slow = held.get('jobs/slow')
    await reached
    followRequests(add('Root=1-second'))
    await ai.get('jobs/1')
    open()
    await slow
    expect(received(gateway)).toEqual({
      '/jobs/1': [true, 'Root=1-second'],
      '/jobs/slow': [true, 'Root=1-second'],
    })
  })

  it('equal calls, which carry the same signature, are each told', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const stop = followRequests(add('Root=1-tracer'))
    const { held, reached, open } = holdCalls()
    const slow = held.get('jobs/1')
    await reached
    await ai.get('jobs/1')
    open()
    await slow
    const [first, second] = gateway.requests
    expect(first?.headers.authorization).toBe(second?.headers.authorization)
    expect(gateway.requests.map((request) => received({ requests: [request] }))).toEqual([
      { '/jobs/1': [true, 'Root=1-tracer'] },
      { '/jobs/1': [true, 'Root=1-tracer'] },
    ])
    stop()
    expect(requestCreated.hasSubscribers).toBe(false)
  })

  it('requests of others are left as they are, signed ones too', async () => {
    followRequests(add('Root=1-tracer'))
    const { held, reached, open } = holdCalls()
    const ours = held.get('jobs/ours')
    await reached
    const headers = { 'x-amzn-trace-id': 'Root=1-other', authorization: 'AWS4-HMAC-SHA256 Credential=x' }
    await fetch(`${gateway.url}/ai/jobs/signed`, { headers })
    await fetch(`${gateway.url}/ai/jobs/plain`, { headers: { 'x-amzn-trace-id': 'Root=1-other' } })
    open()
    await ours
    expect(received(gateway)).toEqual({
      '/jobs/ours': [true, 'Root=1-tracer'],
      '/jobs/plain': [false, 'Root=1-other', 'Root=1-tracer'],
      '/jobs/signed': [false, 'Root=1-other', 'Root=1-tracer'],
    })
  })

  it.each<[string, unknown]>([
    ['no request', undefined],
    ['no headers', { request: {} }],
    ['headers as text', { request: { headers: 'x-amzn-trace-id: Root=1\r\nx-amzn-trace-id: Root=2\r\n' } }],
    ['headers that are no text', { request: { headers: [undefined, Symbol('a'), null, {}] } }],
  ])('a message with %s harms nobody', async (_, message) => {
    const uncaught = listenForUncaught()
    followRequests(() => {})
    const { held, reached, open } = holdCalls()
    const call = held.get('jobs/1')
    await reached
    requestCreated.publish(message)
    open()
    await call
    expect(uncaught).not.toHaveBeenCalled()
    expect(received(gateway)).toEqual({ '/jobs/1': [true, TRACE_ID] })
  })

  it('a request whose headers cannot be changed goes out as it is', async () => {
    const uncaught = listenForUncaught()
    followRequests((request) => {
      request.addHeader('X-Amzn-Trace-Id', 'Root=1-tracer')
      Object.freeze(request.headers)
    })
    await ai.get('jobs/1')
    expect(uncaught).not.toHaveBeenCalled()
    expect(received(gateway)).toEqual({ '/jobs/1': [true, TRACE_ID, 'Root=1-tracer'] })
  })

  it('nothing is left behind, however a call ends', async () => {
    const stop = followRequests(add('Root=1-tracer'))
    gateway.fail('ai POST /jobs', 'reset-before-read')
    gateway.fail('ai GET /jobs/:id', 'hang')
    expect(await rejection(ai.post('jobs', { json: {} }))).toMatchObject({ code: 'ERR_SERVICE_NETWORK' })
    expect(await rejection(ai.get('jobs/1', { timeout: 50, retry: 0 }))).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' })
    expect(requestCreated.hasSubscribers).toBe(true)
    stop()
    expect(requestCreated.hasSubscribers).toBe(false)
  })

  it('the next call sees that nobody does any more', async () => {
    const stop = followRequests(add('Root=1-tracer'))
    const { held, reached, open } = holdCalls()
    const slow = held.get('jobs/slow')
    await reached
    stop()
    expect(requestCreated.hasSubscribers).toBe(true)
    await ai.get('jobs/1')
    expect(requestCreated.hasSubscribers).toBe(false)
    open()
    await slow
    expect(received(gateway)).toEqual({ '/jobs/1': [true, TRACE_ID], '/jobs/slow': [true, TRACE_ID] })
  })
})

it('where nobody follows the requests of fetch, nothing is subscribed', async () => {
  const subscribe = vi.spyOn(requestCreated, 'subscribe')
  await ai.get('jobs/1')
  expect(subscribe).not.toHaveBeenCalled()
  expect(received(gateway)).toEqual({ '/jobs/1': [true, TRACE_ID] })
})

describe('where aws-xray-sdk-fetch has captured global fetch,', () => {
  /** A capture in its manner: passes on what carries a trace already, else sets its own, if it has one. */
  function capture(trace?: string) {
    const original = globalThis.fetch
    const seen: unknown[] = []
    vi.stubGlobal('__fetch', original)
    vi.stubGlobal('fetch', async (...input: Parameters<typeof fetch>) => {
      const request = input[0] instanceof Request ? input[0] : new Request(...input)
      seen.push(input[0])
      if (request.headers.has('X-Amzn-Trace-Id') || trace === undefined) return original(...input)
      request.headers.set('X-Amzn-Trace-Id', trace)
      return original(request.clone())
    })
    return { seen, original }
  }

  it('its trace goes out in place of ours', async () => {
    capture('Root=1-capture')
    await ai.post('jobs', { json: { a: 'ü' } })
    expect(received(gateway)).toEqual({ '/jobs': [true, 'Root=1-capture'] })
    expect(gateway.requests[0]?.json).toEqual({ a: 'ü' })
  })

  it('ours goes out where it has none', async () => {
    capture()
    await ai.post('jobs', { json: {} })
    expect(received(gateway)).toEqual({ '/jobs': [true, TRACE_ID] })
  })

  it('it finds every header but the trace, and a copy of the request finds that as well', async () => {
    const { seen } = capture()
    await ai.get('jobs/1')
    const { headers } = seen[0] as Request
    expect(headers.has('Authorization')).toBe(true)
    expect(headers.has('x-other')).toBe(false)
    expect(headers.has('X-Amzn-Trace-Id')).toBe(false)
    expect(headers.get('X-Amzn-Trace-Id')).toBe(TRACE_ID)
    expect((seen[0] as Request).clone().headers.has('X-Amzn-Trace-Id')).toBe(true)
  })

  it('what it sends ends with the call, garbage collected or not', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    gateway.fail('ai *', 'hang')
    const ended = vi.fn()
    const original = globalThis.fetch
    vi.stubGlobal('__fetch', original)
    // As aws-xray-sdk-fetch sends a request: it keeps the copy until that has ended, not what it was made of.
    const send = async (copy: Request) => {
      try {
        return await original(copy)
      } finally {
        ended(copy.url)
      }
    }
    vi.stubGlobal('fetch', (request: Request) => send(request.clone()))
    const call = rejection(ai.get('jobs/1', { timeout: 300 }))
    for (let turn = 0; turn < 10; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      collectGarbage()
    }
    expect(await call).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' })
    await vi.waitFor(() => expect(ended).toHaveBeenCalledExactlyOnceWith(`${gateway.url}/ai/jobs/1`))
  })

  it('other transports get URL and init, as ever', async () => {
    const { original } = capture('Root=1-capture')
    const transport = vi.fn(original)
    await createServices({ services: ['ai'], fetch: transport }).ai.get('jobs/1')
    expect(transport).toHaveBeenCalledWith(`${gateway.url}/ai/jobs/1`, expect.objectContaining({ method: 'GET' }))
    expect(received(gateway)).toEqual({ '/jobs/1': [true, TRACE_ID] })
  })
})

it('where nothing has captured global fetch, it gets URL and init', async () => {
  const transport = vi.fn(globalThis.fetch)
  vi.stubGlobal('fetch', transport)
  await ai.get('jobs/1')
  expect(transport).toHaveBeenCalledWith(`${gateway.url}/ai/jobs/1`, expect.objectContaining({ method: 'GET' }))
})

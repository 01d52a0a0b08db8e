import ky, { TimeoutError } from 'ky'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  type CircuitOutcome,
  CircuitBreaker as InternalBreaker,
  outcomeOf,
} from '../../../src/client/circuit-breaker.ts'
import {
  CircuitOpenError,
  createServices,
  ServiceNetworkError,
  ServiceRequestError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceTimeoutError,
} from '../../../src/index.ts'
import { BatchInvokeError, CircuitBreaker } from '../../../src/request-signer.ts'
import { answer, IDENTITY, rejection } from '../../support/helpers.ts'

const CALL = { service: 'ai', method: 'GET', path: '/x', attempts: 1 }

let time: number
beforeEach(() => {
  time = 0
})
const make = (failureThreshold = 3, resetTimeout = 1000) =>
  new CircuitBreaker({ failureThreshold, resetTimeout }, () => time)
const run = (breaker: InternalBreaker, ...outcomes: CircuitOutcome[]) => {
  for (const outcome of outcomes) breaker.acquire(CALL)(outcome)
}
const openFor = (breaker: InternalBreaker) => {
  try {
    breaker.acquire(CALL)
  } catch (error) {
    return (error as CircuitOpenError).retryAfterMs
  }
  return undefined
}

describe('a closed circuit', () => {
  it('opens with the threshold of consecutive failures, not before', () => {
    const breaker = make()
    run(breaker, 'failure', 'failure')
    expect(openFor(breaker)).toBeUndefined()
    run(breaker, 'failure')
    expect(openFor(breaker)).toBe(1000)
  })

  it('starts again at zero after a success, and ignores neutral outcomes', () => {
    const breaker = make()
    run(breaker, 'failure', 'failure', 'success', 'failure', 'neutral', 'failure')
    expect(openFor(breaker)).toBeUndefined()
    run(breaker, 'failure')
    expect(openFor(breaker)).toBe(1000)
  })

  it('counts a call even if another one succeeded meanwhile', () => {
    const breaker = make(1)
    const slow = breaker.acquire(CALL)
    run(breaker, 'success')
    slow('failure')
    expect(openFor(breaker)).toBe(1000)
  })

  it('counts each call once', () => {
    const breaker = make()
    const permit = breaker.acquire(CALL)
    for (let time = 0; time < 5; time += 1) permit('failure')
    expect(openFor(breaker)).toBeUndefined()
  })
})

describe('an open circuit', () => {
  const opened = () => {
    const breaker = make()
    run(breaker, 'failure', 'failure', 'failure')
    return breaker
  }

  it('says how long it stays open', () => {
    const breaker = opened()
    time = 999.5
    expect(openFor(breaker)).toBe(1)
    time = 1000
    expect(openFor(breaker)).toBeUndefined()
  })

  it('is half-open then: one call probes, all others are refused meanwhile', () => {
    const breaker = opened()
    time = 1000
    const probe = breaker.acquire(CALL)
    expect(openFor(breaker)).toBe(1000)
    expect(openFor(breaker)).toBe(1000)
    probe('success')
    expect(openFor(breaker)).toBeUndefined()
    run(breaker, 'failure', 'failure')
    expect(openFor(breaker)).toBeUndefined()
  })

  it('opens again, for its whole time, when the probe fails', () => {
    const breaker = opened()
    time = 1500
    breaker.acquire(CALL)('failure')
    expect(openFor(breaker)).toBe(1000)
    time = 2500
    breaker.acquire(CALL)('success')
    expect(openFor(breaker)).toBeUndefined()
  })

  it('lets the next call probe when the last one ended neutrally', () => {
    const breaker = opened()
    time = 1000
    breaker.acquire(CALL)('neutral')
    const probe = breaker.acquire(CALL)
    expect(openFor(breaker)).toBe(1000)
    probe('neutral')
    breaker.acquire(CALL)('success')
    expect(openFor(breaker)).toBeUndefined()
  })

  it('does not heed a probe that was given up, once another one has closed it', () => {
    const breaker = make(1)
    run(breaker, 'failure')
    time = 1000
    const lost = breaker.acquire(CALL)
    time = 2000
    run(breaker, 'success')
    lost('failure')
    expect(openFor(breaker)).toBeUndefined()
  })

  it.each(['success', 'failure', 'neutral'] as const)(
    'does not heed the %s of a call from before it opened',
    (outcome) => {
      const breaker = make()
      const early = breaker.acquire(CALL)
      run(breaker, 'failure', 'failure', 'failure')
      early(outcome)
      expect(openFor(breaker)).toBe(1000)
      time = 1000
      const probe = breaker.acquire(CALL)
      early(outcome)
      expect(openFor(breaker)).toBe(1000)
      probe('success')
    },
  )
})

describe('execute', () => {
  const fail = (error: unknown) => () => Promise.reject(error)
  const network = (networkCode: string) => new ServiceNetworkError(CALL, 'x', { networkCode, cause: undefined })
  const response = (status: number) => new ServiceResponseError(CALL, 'x', { status, data: '', headers: new Headers() })
  const batch = (...errors: Error[]) =>
    new BatchInvokeError([
      { status: 'fulfilled', value: 1 },
      ...errors.map((reason) => ({ status: 'rejected', reason }) as const),
    ])

  it.each([
    ['a network error', network('ECONNRESET'), true],
    ['a server error', response(500), true],
    ['a client error', response(499), false],
    ['a timeout', new ServiceTimeoutError(CALL, 'x', { timeoutMs: 1, deadline: false }), true],
    ["the invocation's deadline", new ServiceTimeoutError(CALL, 'x', { timeoutMs: 1, deadline: true }), false],
    ['a refused request', new ServiceRequestError(CALL, 'x'), false],
    ['a missing variable', new ServicesConfigurationError(['x']), false],
    ['an abort', new DOMException('x', 'AbortError'), false],
    ["the expiry of a caller's signal", new DOMException('x', 'TimeoutError'), false],
    ["a timeout of ky's own", new TimeoutError(new Request('http://h')), true],
    ['a lack of descriptors', network('EMFILE'), false],
    ['a lack of descriptors in the whole system', network('ENFILE'), false],
    ['a batch of client errors', batch(response(404), response(429)), false],
    ['a batch with a server error', batch(response(404), response(503)), true],
    ['a batch with a network error', batch(network('ECONNREFUSED')), true],
    ['a batch without descriptors', batch(network('EMFILE'), response(404)), false],
    ['a batch without errors', Object.assign(new Error('x'), { code: 'ERR_BATCH_INVOKE' }), false],
    ['another DOMException', new DOMException('x', 'NetworkError'), true],
    ['any other error', new Error('x'), true],
    ['no error at all', undefined, true],
  ])('opens for %s: %#', async (_, error, opens) => {
    const breaker = make(1)
    await breaker.execute(fail(error)).catch(() => {})
    expect(openFor(breaker) !== undefined).toBe(opens)
    expect(outcomeOf(error)).toBe(opens ? 'failure' : 'neutral')
  })

  it('opens for an error that cannot be read', () => {
    const unreadable = {
      get name() {
        throw new Error('x')
      },
    }
    expect(outcomeOf(unreadable)).toBe('failure')
  })

  it('does not blame the service for a signal that expires', async () => {
    const breaker = make(1)
    const signal = AbortSignal.timeout(5)
    const { ai } = createServices({
      services: { ai: 'https://id.execute-api.eu-central-1.amazonaws.com' },
      credentials: IDENTITY,
      fetch: () => new Promise(() => {}),
    })
    expect(await rejection(breaker.execute(() => ai.get('x', { signal })))).toBe(signal.reason)
    expect(openFor(breaker)).toBeUndefined()
  })

  it('has the defaults of its options', async () => {
    const breaker = new InternalBreaker()
    run(breaker, 'failure', 'failure', 'failure', 'failure')
    expect(openFor(breaker)).toBeUndefined()
    run(breaker, 'failure')
    expect(openFor(breaker)).toBeGreaterThan(59_000)
  })
})

describe("a service's circuit breaker", () => {
  const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
  let count: number
  let respond: () => Promise<Response>
  beforeEach(() => {
    count = 0
  })
  const create = (options: object = { circuitBreaker: { failureThreshold: 2 } }) =>
    createServices({
      services: { ai: BASE, admin: { url: BASE, circuitBreaker: false } },
      credentials: IDENTITY,
      retry: 0,
      fetch: () => {
        count += 1
        return respond()
      },
      ...options,
    })

  it('opens with failed calls, of either kind, and sends nothing then', async () => {
    respond = () => answer('{}', { status: 500 })
    const { ai, admin } = create()
    await rejection(ai.get('x'))
    expect((await ai.fetch('x')).status).toBe(500)
    const error = await rejection(ai.post('y', { json: {} }).json())
    expect(error).toBeInstanceOf(CircuitOpenError)
    expect(error).toMatchObject({ service: 'ai', method: 'POST', path: '/y', attempts: 0 })
    expect((error as Error).message).toMatch(/^ai: POST \/y: the circuit is open for another \d+ ms at most$/)
    expect(await rejection(ai.fetch('x'))).toBeInstanceOf(CircuitOpenError)
    expect(count).toBe(2)
    await rejection(admin.get('x'))
    expect(count).toBe(3)
  })

  it('counts a call once, however often it was retried', async () => {
    respond = () => answer('{}', { status: 503 })
    const { ai } = create({ circuitBreaker: { failureThreshold: 2 }, retry: { delay: () => 0 } })
    await rejection(ai.get('x'))
    expect(count).toBe(3)
    expect(await rejection(ai.get('x'))).toMatchObject({ status: 503 })
    expect(await rejection(ai.get('x'))).toBeInstanceOf(CircuitOpenError)
  })

  it('stays closed for responses below 500, aborts, and calls that were refused before sending', async () => {
    const { ai } = create({ circuitBreaker: { failureThreshold: 1 } })
    respond = () => answer('{}', { status: 404 })
    await rejection(ai.get('x'))
    respond = () => answer('{}', { status: 429 })
    await rejection(ai.get('x'))
    await rejection(ai.get('../x'))
    respond = () => new Promise(() => {})
    await rejection(ai.get('x', { signal: AbortSignal.timeout(5) }))
    respond = () => answer('{}')
    expect((await ai.get('x')).status).toBe(200)
  })

  it('counts half a response as a failure, and a whole one as a success', async () => {
    const { ai } = create()
    const cut = () => answer(new ReadableStream({ pull: (controller) => controller.error(new Error('cut')) }))
    respond = cut
    await rejection(ai.get('x').json())
    respond = () => answer('{}')
    await ai.get('x').json()
    respond = cut
    await rejection(ai.get('x').json())
    await rejection(ai.get('x').json())
    expect(await rejection(ai.get('x').json())).toBeInstanceOf(CircuitOpenError)
  })

  it('counts an unread response as a success, and lets the next call probe', async () => {
    const { ai } = create({ circuitBreaker: { failureThreshold: 2, resetTimeout: 200 } })
    const busy = () => answer('{}', { status: 503 })
    respond = busy
    await rejection(ai.get('x'))
    respond = () => answer('{}')
    await ai.post('x')
    await new Promise(setImmediate)
    respond = busy
    await rejection(ai.get('x'))
    await rejection(ai.get('x'))
    expect(await rejection(ai.get('x'))).toBeInstanceOf(CircuitOpenError)
    await new Promise((resolve) => setTimeout(resolve, 220))
    respond = () => answer('{}')
    await ai.post('x')
    await new Promise(setImmediate)
    expect((await ai.get('x')).status).toBe(200)
  })

  it('does not change for a 4xx that is not thrown, an abort in the body, and a request that was not sent', async () => {
    const { ai } = create({ circuitBreaker: { failureThreshold: 2, resetTimeout: 200 } })
    const busy = () => answer('{}', { status: 503 })
    const stalled = () => answer(new ReadableStream({ start: (stream) => stream.enqueue(Buffer.from('half')) }))
    respond = stalled
    for (let time = 0; time < 3; time += 1) await rejection(ai.get('x', { signal: AbortSignal.timeout(5) }).text())
    respond = busy
    await rejection(ai.get('x'))
    respond = () => answer('{}', { status: 403 })
    await (await ai.fetch('x')).text()
    respond = busy
    expect(await rejection(ai.get('x'))).toMatchObject({ status: 503 })
    expect(await rejection(ai.get('x'))).toBeInstanceOf(CircuitOpenError)
    await new Promise((resolve) => setTimeout(resolve, 220))
    const hooks = { beforeRequest: [() => new Response('from the hook')] }
    for (let time = 0; time < 3; time += 1) expect(await ai.get('x', { hooks }).text()).toBe('from the hook')
    respond = () => Promise.reject(new TypeError('fetch failed'))
    const instead = { hooks: { beforeRetry: [() => new Response('instead')] }, retry: { limit: 1, delay: () => 0 } }
    expect(await ai.get('x', instead).text()).toBe('instead')
    const stop = { hooks: { beforeRetry: [(): typeof ky.stop => ky.stop] }, retry: { limit: 1, delay: () => 0 } }
    expect(await ai.get('x', stop)).toBeUndefined()
    respond = () => answer('{}')
    expect(await ai.get('x').json()).toEqual({})
  })

  it('counts a large unread response as a success, when its time is over', async () => {
    const { ai } = create({ circuitBreaker: { failureThreshold: 1 }, timeout: 20 })
    respond = () => answer(new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(50_000)) }))
    await ai.get('x')
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect((await ai.get('x')).status).toBe(200)
  })

  it('is off by default, and on with true', async () => {
    respond = () => answer('{}', { status: 500 })
    const off = create({}).ai
    for (let time = 0; time < 9; time += 1) expect(await rejection(off.get('x'))).toMatchObject({ status: 500 })
    const on = create({ circuitBreaker: true }).ai
    for (let time = 0; time < 5; time += 1) expect(await rejection(on.get('x'))).toMatchObject({ status: 500 })
    expect(await rejection(on.get('x'))).toBeInstanceOf(CircuitOpenError)
  })
})

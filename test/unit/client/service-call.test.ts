import { getEventListeners, once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { HTTPError } from 'ky'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { BoundOptions } from '../../../src/client/bounds.ts'
import { createReporter } from '../../../src/client/call-log.ts'
import { CircuitBreaker } from '../../../src/client/circuit-breaker.ts'
import { createRetryBudget } from '../../../src/client/retry-budget.ts'
import { type Invocation, ServiceCall, type ServiceState } from '../../../src/client/service-call.ts'
import { type CallRecord, MAX_TIMER_MS } from '../../../src/config/options.ts'
import { resolveConfig, type ServiceConfig } from '../../../src/config/resolve-config.ts'
import { MAX_ERROR_BODY, TRUNCATION_MARK } from '../../../src/errors/truncate.ts'
import { readRequest } from '../../../src/signing/request-body.ts'
import type { SendSigned } from '../../../src/signing/send-signed.ts'
import { ReceivedResponse } from '../../../src/transport/received-response.ts'
import { rejection } from '../../support/helpers.ts'

const URL_ = new URL('https://h.example/prod/x')
const CONFIG = resolveConfig({
  services: { ai: 'https://h.example/prod' },
  region: 'eu-central-1',
  timeout: 1000,
}).services.get('ai') as ServiceConfig
const HEAD = { status: 200, statusText: '', headers: new Headers(), url: URL_.href }

const respond: SendSigned = async (_, __, options) => new ReceivedResponse(HEAD, null, options)
/** Settles only when the attempt ends. */
const hang: SendSigned = (_, __, { signal }) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })

/** Responds with a status and a body. */
const respondWith =
  (status: number, body: Readable): SendSigned =>
  async (_, __, options) =>
    new ReceivedResponse({ ...HEAD, status }, body, options)

const connectionReset = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })

/** A body whose connection breaks after its first bytes. */
function createBrokenBody(): Readable {
  async function* half() {
    yield Buffer.from('{"a":')
    throw connectionReset()
  }
  return Readable.from(half())
}

interface Surroundings extends Partial<Invocation & ServiceState> {
  readonly config?: ServiceConfig
}

/** A call of one attempt, as `.fetch` makes it. */
function create({
  config = CONFIG,
  sendSigned = respond,
  breaker,
  report = createReporter(),
  ...invocation
}: Surroundings = {}) {
  const state = { sendSigned, retryBudget: createRetryBudget(), breaker, report }
  const call = new ServiceCall(config, state, { readTrace: () => undefined, ...invocation })
  call.resolveUrl(URL_)
  const send = (options?: Parameters<ServiceCall['send']>[1]) => call.send(readRequest(URL_), options)
  const run = (bounds: BoundOptions = {}) =>
    call.run(async () => {
      call.startBounds(bounds)
      return send()
    })
  return { call, send, run }
}

/** The records of calls, and a reporter that writes them. */
function createRecords() {
  const records: CallRecord[] = []
  return { records, report: createReporter(undefined, (record) => void records.push(record)) }
}

/** A circuit breaker, and the outcomes that are reported to it. */
function createBreaker() {
  const permit = vi.fn()
  const breaker = new CircuitBreaker()
  vi.spyOn(breaker, 'acquire').mockReturnValue(permit)
  return { breaker, permit }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  // In this order: a spy puts back the timers that it found.
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe("the invocation's deadline", () => {
  const deadline = { name: 'ServiceTimeoutError', deadline: true, statusCode: 504 }

  it('aborts the call with its error when the time that was left is over', async () => {
    const { call, run } = create({ sendSigned: hang, remaining: () => 800 })
    const ended = rejection(run({ timeout: false }))
    await vi.advanceTimersByTimeAsync(799)
    expect(call.signal.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await ended).toBe(call.signal.reason)
    expect(await ended).toMatchObject({ ...deadline, timeoutMs: 800 })
  })

  it.each([0, -100])('lets nothing be sent where %d ms are left', async (ms) => {
    const sendSigned = vi.fn(respond)
    const { run } = create({ sendSigned, remaining: () => ms })
    expect(await rejection(run())).toMatchObject({ ...deadline, timeoutMs: 0, attempts: 0 })
    expect(sendSigned).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([
    [1, MAX_TIMER_MS],
    [0, MAX_TIMER_MS + 1],
    [0, 2 ** 40],
    [0, Number.POSITIVE_INFINITY],
    [0, undefined],
  ])('takes %d timers where %s ms are left: some are longer than a timer can be', (timers, ms) => {
    const { call } = create({ remaining: ms === undefined ? undefined : () => ms })
    call.startBounds({})
    expect(vi.getTimerCount()).toBe(timers)
    expect(call.signal.aborted).toBe(false)
  })
})

describe('the bounds of a call', () => {
  it.each<[string, SendSigned]>([
    ['a response without a body', respond],
    ['a response that is read', async (_, __, options) => new ReceivedResponse(HEAD, Readable.from(['{}']), options)],
    ['no response', () => Promise.reject(new Error('no connection'))],
  ])('leave neither timer nor listener behind, with %s', async (_, sendSigned) => {
    const caller = new AbortController()
    const { call, run } = create({ sendSigned, remaining: () => 800 })
    const ended = run({ signal: caller.signal, totalTimeout: 500 })
    expect(vi.getTimerCount()).toBe(3)
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    await ended.then((response) => response.text()).catch(() => {})
    expect(vi.getTimerCount()).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
    expect(getEventListeners(call.signal, 'abort')).toEqual([])
  })

  it.each([
    ['of an attempt', { timeout: 300 }, { timeoutMs: 300 }],
    ['of the whole call', { totalTimeout: 200 }, { timeoutMs: 200 }],
  ])('%s end it with its own error', async (_, bounds, expected) => {
    const ended = rejection(create({ sendSigned: hang }).run(bounds))
    await vi.advanceTimersByTimeAsync(expected.timeoutMs)
    expect(await ended).toMatchObject({ name: 'ServiceTimeoutError', deadline: false, ...expected })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('let nothing be sent that the timer would end at once', async () => {
    const sendSigned = vi.fn(respond)
    const { call } = create({ sendSigned })
    const ended = call.run(async () => {
      call.startBounds({ totalTimeout: 5 })
      // The caller keeps the event loop busy.
      while (call.durationMs < 10) performance.now()
      return call.send(readRequest(URL_))
    })
    expect(await rejection(ended)).toMatchObject({ deadline: false, timeoutMs: 5, attempts: 0 })
    expect(sendSigned).not.toHaveBeenCalled()
  })

  it('do not keep the process alive for an unread response', async () => {
    const started = vi.spyOn(globalThis, 'setTimeout')
    const unread: SendSigned = async (_, __, options) =>
      new ReceivedResponse(HEAD, new Readable({ read() {} }), options)
    await create({ sendSigned: unread, remaining: () => 800 }).run({ totalTimeout: 500 })
    const timers = started.mock.results.map(({ value }) => value as NodeJS.Timeout)
    expect(timers.map((timer) => timer.hasRef())).toEqual([false, false, false])
  })

  it("give way to the caller's own signal, whose reason passes through", async () => {
    const caller = new AbortController()
    const ended = rejection(create({ sendSigned: hang }).run({ signal: caller.signal }))
    caller.abort('mine')
    expect(await ended).toBe('mine')
    expect(await rejection(create().run({ signal: AbortSignal.abort('early') }))).toBe('early')
  })
})

it('an abort by the caller, with any reason, is no failure of the service', async () => {
  const breaker = new CircuitBreaker({ failureThreshold: 1 })
  const caller = new AbortController()
  const ended = rejection(create({ sendSigned: hang, breaker }).run({ signal: caller.signal }))
  caller.abort(new Error('mine'))
  expect(await ended).toBe(caller.signal.reason)
  expect((await create({ breaker }).run()).status).toBe(200)
})

describe('a body', () => {
  it('of an error of .fetch is not cut, however long it is', async () => {
    const body = 'x'.repeat(70_000)
    const sendSigned = respondWith(500, Readable.from([Buffer.from(body)]))
    expect(await (await create({ sendSigned }).run()).text()).toBe(body)
  })

  it.each<[string, number, boolean, boolean]>([
    ['an error that is thrown is cut', 500, true, true],
    ['an error that is not thrown is whole', 500, false, false],
    ['a success is whole', 200, true, false],
  ])('of %s', async (_, status, throws, isCut) => {
    const body = 'x'.repeat(MAX_ERROR_BODY)
    const sendSigned = respondWith(status, Readable.from([Buffer.from(`${body}rest`)]))
    const { call, send } = create({ sendSigned })
    const response = await call.run(() => send({ isError: (given) => throws && given === status }))
    expect(await response.text()).toBe(isCut ? body + TRUNCATION_MARK : `${body}rest`)
  })

  it('above maxResponseSize rejects', async () => {
    const long = Readable.from([Buffer.alloc(CONFIG.maxResponseSize as number), Buffer.alloc(1)])
    const response = await create({ sendSigned: respondWith(200, long) }).run()
    expect(await rejection(response.arrayBuffer())).toMatchObject({
      message: 'ai: GET /x: 200, but the response body exceeds maxResponseSize (16777216 bytes)',
    })
  })

  it('of any size is read where maxResponseSize is false', async () => {
    const config = { ...CONFIG, maxResponseSize: false } as const
    const sendSigned = respondWith(200, Readable.from([Buffer.from('text')]))
    expect(await (await create({ config, sendSigned }).run()).text()).toBe('text')
  })

  it('whose connection breaks rejects, unlike a call without a response', async () => {
    const response = await create({ sendSigned: respondWith(200, createBrokenBody()) }).run()
    expect(await rejection(response.text())).toMatchObject({
      message: 'ai: GET /x: incomplete response: ECONNRESET, read ECONNRESET',
    })
    expect(await rejection(create({ sendSigned: () => Promise.reject(connectionReset()) }).run())).toMatchObject({
      message: 'ai: GET /x: no response: ECONNRESET, read ECONNRESET',
    })
  })
})

describe('a pending call', () => {
  function createPending() {
    const events: string[] = []
    return { events, pending: { add: () => void events.push('add'), remove: () => void events.push('remove') } }
  }

  it.each(['text', 'json', 'bytes', 'arrayBuffer', 'blob'] as const)(
    'is one whose body is read with %s after the call has ended, until the body ends',
    async (read) => {
      const { events, pending } = createPending()
      const body = new PassThrough()
      const response = (await create({ sendSigned: respondWith(200, body), pending }).run()) as ReceivedResponse
      expect(events.splice(0)).toEqual(['add', 'remove'])
      const content = response[read]()
      expect(events.splice(0)).toEqual(['add'])
      body.write('{')
      await nextTurn()
      expect(events).toEqual([])
      body.end('}')
      await content
      expect(events).toEqual(['remove'])
    },
  )

  it('is one whose body is read, until its connection breaks', async () => {
    const { events, pending } = createPending()
    const response = await create({ sendSigned: respondWith(200, createBrokenBody()), pending }).run()
    await rejection(response.text())
    expect(events).toEqual(['add', 'remove', 'add', 'remove'])
  })

  it('is none whose body ends unread', async () => {
    const { events, pending } = createPending()
    const body = new PassThrough()
    await create({ sendSigned: respondWith(200, body), pending }).run()
    body.end('{}')
    await once(body, 'close')
    expect(events).toEqual(['add', 'remove'])
  })

  it('is added once where its body is read before the call ends', async () => {
    const { events, pending } = createPending()
    const { call, send } = create({ sendSigned: respondWith(200, Readable.from([Buffer.from('{}')])), pending })
    await call.run(async () => {
      await (await send()).text()
      return new Response()
    })
    expect(events).toEqual(['add', 'remove'])
  })

  it('is none that was aborted before its response arrived, though an attempt reads it', async () => {
    const { events, pending } = createPending()
    const caller = new AbortController()
    let beginning: Promise<string> | undefined
    const sendSigned: SendSigned = async (_, __, options) => {
      await once(options.signal, 'abort')
      const response = new ReceivedResponse(HEAD, Readable.from([Buffer.from('{}')]), options)
      beginning = response.peek(10, 1000, (text) => text === '{}')
      return response
    }
    const ended = rejection(create({ sendSigned, pending }).run({ signal: caller.signal }))
    caller.abort('mine')
    expect(await ended).toBe('mine')
    await nextTurn()
    expect(await beginning).toBe('{}')
    expect(events).toEqual(['add', 'remove'])
  })
})

describe('the outcome for a circuit breaker', () => {
  const whole = () => Readable.from([Buffer.from('{}')])

  it.each<[string, SendSigned, string]>([
    ['200 with a whole body is a success', respondWith(200, whole()), 'success'],
    ['200 with an incomplete body is a failure', respondWith(200, createBrokenBody()), 'failure'],
    ['302 is neutral', respondWith(302, whole()), 'neutral'],
    ['404 is neutral', respondWith(404, whole()), 'neutral'],
    ['500 is a failure', respondWith(500, whole()), 'failure'],
    ['no response is a failure', () => Promise.reject(connectionReset()), 'failure'],
  ])('of %s', async (_, sendSigned, outcome) => {
    const { breaker, permit } = createBreaker()
    const { run } = create({ sendSigned, breaker })
    await run()
      .then((response) => response.text())
      .catch(() => {})
    expect(permit.mock.calls).toEqual([[outcome]])
  })

  it("of a hook's own response after a failed attempt is neutral, and the call is recorded with its status", async () => {
    const { breaker, permit } = createBreaker()
    const { records, report } = createRecords()
    const { call, send } = create({ sendSigned: () => Promise.reject(connectionReset()), breaker, report })
    await call.run(() => send().catch(() => new Response('', { status: 201 })))
    expect(permit.mock.calls).toEqual([['neutral']])
    expect(records).toMatchObject([{ status: 201 }])
  })
})

describe("a hook's own response that cannot be read", () => {
  const createUnreadable = () =>
    Object.defineProperty({}, 'ok', {
      get() {
        throw new Error('no ok')
      },
    }) as Response

  it('ends the call, which is recorded without a status and neutral for a circuit breaker', async () => {
    const { breaker, permit } = createBreaker()
    const { records, report } = createRecords()
    const { call, send } = create({ breaker, report })
    const response = createUnreadable()
    expect(await call.run(() => send().then(() => response))).toBe(response)
    expect(permit.mock.calls).toEqual([['neutral']])
    expect(records).toEqual([{ service: 'ai', method: 'GET', path: '/x', attempts: 0, durationMs: expect.any(Number) }])
  })

  it('ends the call without a circuit breaker, too', async () => {
    const response = createUnreadable()
    const { call } = create()
    expect(await call.run(async () => response)).toBe(response)
  })

  it('ends the call without a listener for records, too', async () => {
    const { breaker, permit } = createBreaker()
    const response = createUnreadable()
    const { call, send } = create({ breaker })
    expect(await call.run(() => send().then(() => response))).toBe(response)
    expect(permit.mock.calls).toEqual([['neutral']])
  })
})

it('a call without retry rules, as one of .fetch, is sent only once', async () => {
  const sendSigned = vi.fn(respond)
  const { call, send } = create({ sendSigned })
  const twice = call.run(async () => {
    await send()
    return send()
  })
  expect(await rejection(twice)).toMatchObject({ message: 'ai: GET /x: 200, and the retry rules allow no retry' })
  expect(sendSigned).toHaveBeenCalledOnce()
})

it('outside a handler, a warning names a call that failed and was never awaited, and no other', async () => {
  const warn = vi.fn()
  const report = createReporter({ info() {}, warn, error() {} })
  create({ report }).run()
  create({ report, sendSigned: () => Promise.reject(connectionReset()) }).run()
  await nextTurn()
  await nextTurn()
  expect(warn.mock.calls).toEqual([
    [
      'A call failed and was never awaited: ai: GET /x: ERR_SERVICE_NETWORK',
      { call: { service: 'ai', method: 'GET', path: '/x' } },
    ],
  ])
})

describe('whatever is thrown', () => {
  it.each([undefined, null, 0, '', 'text'])('is the cause of an error of the call: %j', async (thrown) => {
    const error = (await rejection(create().call.run(() => Promise.reject(thrown)))) as Error
    expect(error).toMatchObject({ code: 'ERR_SERVICE_REQUEST', message: `ai: GET /x: ${thrown}` })
    expect(error.cause).toBe(thrown)
  })

  it('is named where it cannot be shown', async () => {
    const evil = Object.defineProperty(new Error('x'), 'message', {
      get() {
        throw new Error('no message')
      },
    })
    expect(await rejection(create().call.run(() => Promise.reject(evil)))).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: 'ai: GET /x: an error without a readable message',
    })
  })

  it('is named where the data of its response cannot be read', async () => {
    const { records, report } = createRecords()
    const error = new HTTPError(new Response('', { status: 500 }), new Request(URL_), {} as never)
    error.data = Object.defineProperty({}, 'a', {
      enumerable: true,
      get() {
        throw new Error('no a')
      },
    })
    expect(await rejection(create({ report }).call.run(() => Promise.reject(error)))).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: 'ai: GET /x: an error that cannot be read',
    })
    expect(records).toMatchObject([{ errorCode: 'ERR_SERVICE_REQUEST' }])
  })
})

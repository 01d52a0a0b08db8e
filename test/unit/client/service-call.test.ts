import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { BoundOptions } from '../../../src/client/bounds.ts'
import { createReporter } from '../../../src/client/call-log.ts'
import { CircuitBreaker } from '../../../src/client/circuit-breaker.ts'
import { createRetryBudget } from '../../../src/client/retry-budget.ts'
import { type Invocation, ServiceCall, type ServiceState } from '../../../src/client/service-call.ts'
import { MAX_TIMER_MS } from '../../../src/config/options.ts'
import { resolveConfig, type ServiceConfig } from '../../../src/config/resolve-config.ts'
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

/** A call of one attempt, as `.fetch` makes it. */
function create({ sendSigned = respond, breaker, ...invocation }: Partial<Invocation & ServiceState> = {}) {
  const state = { sendSigned, retryBudget: createRetryBudget(), breaker, report: createReporter() }
  const call = new ServiceCall(CONFIG, state, { readTrace: () => undefined, ...invocation })
  call.resolveUrl(URL_)
  const run = (bounds: BoundOptions = {}) =>
    call.run(async () => {
      call.startBounds(bounds)
      return call.send(readRequest(URL_))
    })
  return { call, run }
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
    const ended = create({ sendSigned, remaining: () => 800 }).run({ signal: caller.signal, totalTimeout: 500 })
    expect(vi.getTimerCount()).toBe(3)
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1)
    await ended.then((response) => response.text()).catch(() => {})
    expect(vi.getTimerCount()).toBe(0)
    expect(getEventListeners(caller.signal, 'abort')).toEqual([])
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

it('a long error body of .fetch is not cut', async () => {
  const body = 'x'.repeat(70_000)
  const failing: SendSigned = async (_, __, options) =>
    new ReceivedResponse({ ...HEAD, status: 500 }, Readable.from([Buffer.from(body)]), options)
  expect(await (await create({ sendSigned: failing }).run()).text()).toBe(body)
})

it('a body above maxResponseSize rejects', async () => {
  const long: SendSigned = async (_, __, options) =>
    new ReceivedResponse(
      HEAD,
      Readable.from([Buffer.alloc(CONFIG.maxResponseSize as number), Buffer.alloc(1)]),
      options,
    )
  const response = await create({ sendSigned: long }).run()
  expect(await rejection(response.arrayBuffer())).toMatchObject({
    message: 'ai: GET /x: 200, but the response body exceeds maxResponseSize (16777216 bytes)',
  })
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
})

import middy from '@middy/core'
import mockContext from 'aws-lambda-mock-context'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  createServices,
  type ServiceClient,
  type ServicesContext,
  ServiceTimeoutError,
  signedServices,
} from '../../src/index.ts'
import type { Fault, LocalGateway } from '../../src/testing/index.ts'
import { rejection, useGateway } from '../support/helpers.ts'
import { startStopwatch } from '../support/stopwatch.ts'

/** Milliseconds after its bound within which a call has ended. */
const TOLERANCE = 100
const BOUND = 150

const HANGS: readonly Fault[] = ['hang', 'hang-in-body', { delay: 60_000 }]

type Ask = (ai: ServiceClient, options?: { timeout?: number; signal?: AbortSignal; retry?: object }) => Promise<unknown>

const WAYS: readonly (readonly [string, Ask])[] = [
  ['get', (ai, options) => ai.get('x', options).json()],
  ['post', (ai, options) => ai.post('x', { ...options, json: { n: 1 } }).json()],
  [
    'fetch',
    async (ai, { timeout, signal } = {}) => {
      const client = timeout === undefined ? ai : ai.extend({ timeout })
      return (await client.fetch('x', { method: 'PUT', ...(signal && { signal }) })).json()
    },
  ],
]

const CASES = HANGS.flatMap((fault) => WAYS.map(([way, ask]) => ({ fault, way, ask })))

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

let gateway: LocalGateway
beforeEach(async () => {
  gateway = await useGateway({ ai: { 'GET /x': { n: 1 }, 'POST /x': { n: 1 }, 'PUT /x': { n: 1 } } })
})

const createClient = () => createServices({ services: ['ai'], retry: { delay: () => 0 } }).ai

/** What a call fails with, on a connection that is there already, and that it does so when its time is over. */
async function failAt(bound: number, call: () => Promise<unknown>): Promise<unknown> {
  const startedAt = performance.now()
  const readElapsed = startStopwatch()
  const failure = await rejection(call())
  const elapsed = readElapsed()
  // A timer counts from the beginning of the event loop's turn that started it.
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(bound - 15)
  expect(elapsed).toBeLessThanOrEqual(bound + TOLERANCE)
  return failure
}

/** Nothing more is sent, and the gateway has got `count` requests since the first one. */
async function expectSilence(count: number): Promise<void> {
  await wait(40)
  expect(gateway.requests).toHaveLength(1 + count)
}

describe.each(CASES)('a hung service, $fault, by $way,', ({ fault, ask }) => {
  it('is given up at the timeout of the attempt', async () => {
    const ai = createClient()
    await ask(ai)
    const heal = gateway.fail('*', fault)
    const failure = await failAt(BOUND, () => ask(ai, { timeout: BOUND }))
    expect(failure).toBeInstanceOf(ServiceTimeoutError)
    expect(failure).toMatchObject({ deadline: false, timeoutMs: BOUND, attempts: 1 })
    await expectSilence(1)
    heal()
    expect(await ask(ai)).toEqual({ n: 1 })
  })

  it("is given up at the invocation's deadline", async () => {
    let askAgain = () => Promise.resolve<unknown>(undefined)
    const handler = middy({ timeoutEarlyInMillis: 0 })
      .use(signedServices({ services: ['ai'], retry: { delay: () => 0 }, deadlineMargin: 50 }))
      .handler(async (_, { services: { ai } }) => {
        askAgain = () => ask(ai)
        return ask(ai)
      })
    const invoke = (ms: number) => {
      const end = performance.now() + ms
      const getRemainingTimeInMillis = () => end - performance.now()
      const context = { ...mockContext({ timeout: 3600 }), getRemainingTimeInMillis }
      return handler({}, context as unknown as ServicesContext)
    }
    await invoke(5_000)
    const heal = gateway.fail('*', fault)
    const failure = await failAt(BOUND, () => invoke(BOUND + 50))
    expect(failure).toBeInstanceOf(ServiceTimeoutError)
    expect(failure).toMatchObject({ deadline: true, attempts: 1 })
    // This invocation has no time left; the next one has its own.
    expect(await rejection(askAgain())).toMatchObject({ deadline: true, attempts: 0 })
    await expectSilence(1)
    heal()
    expect(await invoke(5_000)).toEqual({ n: 1 })
  })

  it("is given up with the caller's signal", async () => {
    const ai = createClient()
    await ask(ai)
    const heal = gateway.fail('*', fault)
    const reason = new Error('enough')
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), BOUND)
    expect(await failAt(BOUND, () => ask(ai, { signal: controller.signal }))).toBe(reason)
    await expectSilence(1)
    heal()
    expect(await ask(ai)).toEqual({ n: 1 })
  })
})

describe('a hung service that may be asked again', () => {
  const retry = { delay: () => 0, retryOnTimeout: true }

  it('is given up after as many timeouts as there are attempts', async () => {
    const ai = createClient()
    await ai.get('x').json()
    const heal = gateway.fail('*', 'hang')
    expect(await failAt(3 * BOUND, () => ai.get('x', { timeout: BOUND, retry }))).toMatchObject({
      timeoutMs: BOUND,
      attempts: 3,
    })
    await expectSilence(3)
    heal()
    expect(await ai.get('x').json()).toEqual({ n: 1 })
  })

  it("is given up in the middle of an attempt with the caller's signal", async () => {
    const ai = createClient()
    await ai.get('x').json()
    gateway.fail('*', 'hang')
    const signal = AbortSignal.timeout(BOUND)
    expect(await failAt(BOUND, () => ai.get('x', { timeout: 100, retry, signal }))).toBe(signal.reason)
    await expectSilence(2)
  })

  it("is not waited for between attempts, once the caller's signal says so", async () => {
    const ai = createClient()
    await ai.get('x').json()
    gateway.fail('*', { status: 503 })
    const signal = AbortSignal.timeout(BOUND)
    const slow = { delay: () => 400, jitter: false }
    expect(await failAt(BOUND, () => ai.get('x', { retry: slow, signal }))).toBe(signal.reason)
    await wait(250)
    await expectSilence(1)
  })
})

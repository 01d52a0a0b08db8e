import { HTTPError } from 'ky'
import { beforeEach, describe, expect, it } from 'vitest'
import { createRetryBudget, type RetryBudget } from '../../../src/client/retry-budget.ts'
import { type Attempt, narrowRetry, type Outcome } from '../../../src/client/retry-policy.ts'
import { readRetryAfter } from '../../../src/errors/retry-after.ts'
import { ServiceNetworkError, ServiceTimeoutError } from '../../../src/errors/service-errors.ts'
import { findKind } from '../../../src/signing/service-table.ts'

const CALL = { service: 'ai', method: 'GET', path: '/x', attempts: 1 }
const status = (code: number, headers: Record<string, string> = {}): Outcome =>
  new Response(null, { status: code, headers })
const network = (networkCode: string, neverConnected = false) =>
  new ServiceNetworkError(CALL, 'x', { networkCode, neverConnected, cause: undefined })
const timeout = (deadline = false) => new ServiceTimeoutError(CALL, 'x', { timeoutMs: 1, deadline })

let random: number
let remaining: number
let maxAskedDelayMs: number
beforeEach(() => {
  random = 1
  remaining = Number.POSITIVE_INFINITY
  maxAskedDelayMs = Number.POSITIVE_INFINITY
})

/** What the rules say to a retry, and how long to wait for it. */
async function ask(
  wanted: object,
  outcome: Outcome,
  attempt: Partial<Attempt> = {},
  retryCount = 1,
  budget = createRetryBudget(),
  signingName = 'execute-api',
) {
  const last: Attempt = { method: 'GET', idempotencyKey: null, outcome, ...attempt }
  const waits: number[] = []
  const wait = async (ms: number) => {
    waits.push(ms)
    return true
  }
  const rules = narrowRetry(wanted, {
    retryBudget: budget,
    rejections: () => findKind(signingName),
    wait,
    random: () => random,
    remaining: () => remaining,
    maxAskedDelayMs,
    lastAttempt: () => last,
  })
  const error =
    outcome instanceof Error ? outcome : new HTTPError(outcome as Response, new Request('http://h'), {} as never)
  const isAllowed = await rules.options.shouldRetry?.({ error, retryCount })
  return { isAllowed, delay: isAllowed ? (waits[0] ?? 0) : undefined, waits, rules, last }
}

describe('a delay', () => {
  it.each([
    [1, 300],
    [2, 600],
    [3, 1200],
  ])('before retry %d is anywhere up to %d ms', async (retryCount, full) => {
    expect((await ask({}, status(503), {}, retryCount)).delay).toBe(full)
    random = 0
    expect((await ask({}, status(503), {}, retryCount)).delay).toBe(0)
    random = 0.5
    expect((await ask({}, status(503), {}, retryCount)).delay).toBe(full / 2)
  })

  it('of nothing starts no timer, which fake timers would stop', async () => {
    expect((await ask({ delay: () => 0 }, status(503))).waits).toEqual([])
  })

  it('follows the options of ky', async () => {
    expect((await ask({ delay: (count: number) => count * 7, jitter: false }, status(503), {}, 3)).delay).toBe(21)
    expect((await ask({ jitter: (ms: number) => ms + 1 }, status(503))).delay).toBe(301)
    expect((await ask({ jitter: () => -5 }, status(503))).delay).toBe(0)
    expect((await ask({ backoffLimit: 100 }, status(503))).delay).toBe(100)
  })

  it('is the one that the response asks for, without jitter', async () => {
    random = 0.1
    expect((await ask({}, status(429, { 'retry-after': '7' }))).delay).toBe(7000)
    expect((await ask({}, status(503, { 'ratelimit-reset': '3' }))).delay).toBe(3000)
    expect((await ask({ maxRetryAfter: 7000 }, status(429, { 'retry-after': '7' }))).delay).toBe(7000)
    expect((await ask({ afterStatusCodes: [429] }, status(503, { 'retry-after': '7' }))).delay).toBe(30)
  })

  it.each([
    [
      'the time that is left',
      () => {
        remaining = 6999
      },
      {},
    ],
    [
      'the time that is left, by nothing',
      () => {
        remaining = 7000
      },
      {},
    ],
    [
      'what a call without a deadline has patience for',
      () => {
        maxAskedDelayMs = 6999
      },
      {},
    ],
    ['maxRetryAfter', () => {}, { maxRetryAfter: 6999 }],
  ])('that is longer than %s ends the call at once', async (_, set, wanted) => {
    set()
    expect((await ask(wanted, status(429, { 'retry-after': '7' }))).isAllowed).toBe(false)
  })

  it('of our own may be longer than the patience for others, not than the time that is left', async () => {
    maxAskedDelayMs = 10
    expect((await ask({}, status(503))).delay).toBe(300)
    remaining = 300
    expect((await ask({}, status(503))).isAllowed).toBe(false)
  })
})

describe('a retry is allowed', () => {
  const idempotent = ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'put']
  const others = ['POST', 'PATCH', 'post']
  const refused = status(429, { 'x-amzn-errortype': 'TooManyRequestsException' })

  it.each([408, 429, 500, 502, 503, 504])('of idempotent methods on %d', async (code) => {
    for (const method of idempotent) expect((await ask({}, status(code), { method })).isAllowed).toBe(true)
    for (const method of others) expect((await ask({}, status(code), { method })).isAllowed).toBe(false)
    for (const method of others)
      expect((await ask({}, status(code), { method, idempotencyKey: 'k' })).isAllowed).toBe(true)
  })

  it.each([200, 302, 400, 403, 404, 409, 413, 501])('of nothing on %d', async (code) => {
    for (const method of [...idempotent, ...others]) {
      expect((await ask({ statusCodes: [code] }, status(code), { method, idempotencyKey: 'k' })).isAllowed).toBe(false)
    }
  })

  it('of every method where no connection was made', async () => {
    for (const method of [...idempotent, ...others])
      expect((await ask({}, network('ECONNREFUSED', true), { method })).isAllowed).toBe(true)
  })

  it('of idempotent methods where one was lost', async () => {
    for (const method of idempotent) expect((await ask({}, network('ECONNRESET'), { method })).isAllowed).toBe(true)
    for (const method of others) expect((await ask({}, network('ECONNRESET'), { method })).isAllowed).toBe(false)
  })

  it("of every method on the gateway's own throttling, of none on its quota", async () => {
    for (const method of others) expect((await ask({}, refused, { method })).isAllowed).toBe(true)
    const limit = status(429, { 'x-amzn-errortype': 'LimitExceededException' })
    for (const method of [...idempotent, ...others]) {
      expect((await ask({}, limit, { method, idempotencyKey: 'k' })).isAllowed).toBe(false)
      // A rate of another kind of service.
      expect((await ask({}, limit, { method }, 1, undefined, 'lambda')).isAllowed).toBe(true)
    }
  })

  it('on timeouts only where it is asked for, and never after the deadline', async () => {
    expect((await ask({}, timeout())).isAllowed).toBe(false)
    expect((await ask({ retryOnTimeout: true }, timeout())).isAllowed).toBe(true)
    expect((await ask({ retryOnTimeout: true }, timeout(true))).isAllowed).toBe(false)
    const keyed = { method: 'POST', idempotencyKey: 'k' }
    expect((await ask({}, timeout(), keyed)).isAllowed).toBe(false)
    expect((await ask({ retryOnTimeout: true }, timeout(), keyed)).isAllowed).toBe(true)
    expect((await ask({ retryOnTimeout: true }, timeout(), { method: 'POST' })).isAllowed).toBe(false)
  })

  it('for no other errors', async () => {
    expect((await ask({}, new Error('bug'))).isAllowed).toBe(false)
    expect((await ask({ shouldRetry: () => true }, new Error('bug'))).isAllowed).toBe(false)
  })

  it('for less, but not for more, where options say so', async () => {
    expect((await ask({ methods: ['PUT'] }, status(503))).isAllowed).toBe(false)
    expect((await ask({ methods: ['post'] }, status(503), { method: 'POST' })).isAllowed).toBe(false)
    expect((await ask({ methods: ['get'] }, refused, { method: 'POST' })).isAllowed).toBe(false)
    expect((await ask({ statusCodes: [500] }, status(503))).isAllowed).toBe(false)
    expect((await ask({ shouldRetry: async () => false }, status(503))).isAllowed).toBe(false)
    expect((await ask({ shouldRetry: () => true }, status(404))).isAllowed).toBe(false)
  })

  it('once for each time that it was granted, for the request that is sent', async () => {
    const get = { method: 'GET', idempotencyKey: null }
    const { rules, last } = await ask({}, status(503))
    expect(rules.allow(get, last)).toBe(true)
    expect(rules.allow(get, last)).toBe(false)
    const swapped = await ask({}, status(503))
    expect(swapped.rules.allow({ ...get, method: 'POST' }, swapped.last)).toBe(false)
    const post = { method: 'POST', idempotencyKey: 'k' }
    for (const [idempotencyKey, expected] of [
      ['k', true],
      ['other', false],
      [null, false],
    ] as const) {
      const keyed = await ask({}, status(503), post)
      expect(keyed.rules.allow({ method: 'POST', idempotencyKey }, keyed.last)).toBe(expected)
    }
  })

  it('of nothing where a hook made a response of a lost connection', async () => {
    const { rules } = await ask({}, network('ECONNRESET'))
    const error = new HTTPError(new Response(null, { status: 503 }), new Request('http://h'), {} as never)
    expect(await rules.options.shouldRetry?.({ error, retryCount: 1 })).toBe(false)
  })

  it('after which ky waits no further', async () => {
    expect((await ask({}, status(503))).rules.options.delay?.(1)).toBe(0)
  })

  it('before the first attempt of nothing', async () => {
    const rules = narrowRetry(
      {},
      {
        retryBudget: createRetryBudget(),
        rejections: () => findKind('execute-api'),
        wait: async () => true,
        random: () => 0,
        remaining: () => 1,
        maxAskedDelayMs: 1,
        lastAttempt: () => undefined,
      },
    )
    expect(await rules.options.shouldRetry?.({ error: new Error('hook'), retryCount: 1 })).toBe(false)
  })
})

describe('the retry budget', () => {
  /** Retries that a budget still grants. */
  const left = (budget: RetryBudget) => {
    let count = 0
    while (count < 100 && budget.take()) count += 1
    return count
  }

  it('pays for the two retries of a lone call', () => {
    const budget = createRetryBudget()
    budget.deposit()
    expect(left(budget)).toBe(2)
  })

  it.each([
    [5, 5],
    [2, 2],
    [0, 2],
  ])('with a retry limit of %d, holds %d retries', (limit, expected) => {
    const budget = createRetryBudget(limit)
    expect(left(budget)).toBe(expected)
    for (let call = 0; call < 100; call += 1) budget.deposit()
    expect(left(budget)).toBe(expected)
  })

  it('gets back a fifth of a retry with each call, two retries at most', () => {
    const budget = createRetryBudget()
    left(budget)
    for (let call = 0; call < 4; call += 1) budget.deposit()
    expect(budget.take()).toBe(false)
    budget.deposit()
    expect([budget.take(), budget.take()]).toEqual([true, false])
    for (let call = 0; call < 100; call += 1) budget.deposit()
    expect(left(budget)).toBe(2)
  })

  it('is filled up by a success', () => {
    const budget = createRetryBudget()
    left(budget)
    budget.refill()
    budget.refill()
    expect(left(budget)).toBe(2)
  })

  it('refuses a retry that exceeds the budget, for any reason', async () => {
    const budget = createRetryBudget()
    left(budget)
    for (const outcome of [status(503), status(429), network('ECONNREFUSED', true)]) {
      expect((await ask({}, outcome, {}, 1, budget)).isAllowed).toBe(false)
    }
    budget.refill()
    expect((await ask({}, status(503), {}, 1, budget)).isAllowed).toBe(true)
  })

  it('is not asked for a retry that the rules refuse', async () => {
    const budget = createRetryBudget()
    for (let call = 0; call < 5; call += 1) await ask({}, status(404), {}, 1, budget)
    remaining = 10
    await ask({}, status(503), {}, 1, budget)
    expect(left(budget)).toBe(2)
  })
})

describe('readRetryAfter', () => {
  const NOW = Date.parse('2026-11-22T12:00:00Z')
  it.each([
    [{}, undefined],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': '120' }, 120_000],
    [{ 'retry-after': 'Sun, 22 Nov 2026 12:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Sun, 22 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '-5' }, undefined],
    [{ 'retry-after': '5 minutes' }, undefined],
    [{ 'retry-after': '23 Nov 2026 12:00:30 GMT' }, undefined],
    [{ 'retry-after': 'Su 2026-11-23' }, undefined],
    [{ 'retry-after': '1800000000' }, 1_800_000_000_000],
    [{ 'retry-after': '1', 'ratelimit-reset': '9' }, 1000],
    [{ 'ratelimit-reset': '9' }, 9000],
    [{ 'ratelimit-reset': String(NOW / 1000 + 4) }, 4000],
    [{ 'ratelimit-reset': '1704067199' }, 1_704_067_199_000],
    [{ 'ratelimit-reset': '1704067200' }, 0],
    [{ 'x-ratelimit-retry-after': '2' }, 2000],
    [{ 'x-ratelimit-retry-after': '1800000000' }, 1_800_000_000_000],
    [{ 'x-ratelimit-reset': String(NOW / 1000 - 4) }, 0],
    [{ 'x-rate-limit-reset': '3' }, 3000],
    [{ 'x-rate-limit-reset': String(NOW / 1000 + 4) }, 4000],
  ] as [Record<string, string>, number | undefined][])('reads %o as %s ms', (headers, expected) => {
    expect(readRetryAfter(new Headers(headers), NOW)).toBe(expected)
  })
})

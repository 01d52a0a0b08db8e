import middy from '@middy/core'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { readRetryAfter } from '../../../src/errors/index.ts'
import {
  type CallRecord,
  createServices,
  type ServicesContext,
  type SignedServicesOptions,
  signedServices,
} from '../../../src/index.ts'
import { answer, IDENTITY, rejection } from '../../support/helpers.ts'
import { startStopwatch } from '../../support/stopwatch.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const YEARS = 30 * 365 * 86_400_000

let warnings: Error[]
beforeEach(() => {
  warnings = []
  const listener = (warning: Error) => void warnings.push(warning)
  process.on('warning', listener)
  onTestFinished(() => {
    process.off('warning', listener)
    expect(warnings).toEqual([])
  })
})

const createClient = (options: Omit<SignedServicesOptions, 'services'> = {}) =>
  createServices({ ...options, services: { ai: BASE }, credentials: IDENTITY }).ai

const HEADERS = ['retry-after', 'ratelimit-reset', 'x-ratelimit-retry-after', 'x-ratelimit-reset', 'x-rate-limit-reset']
const VALUES = [
  String(57 * 86_400),
  '9999999999999999999999',
  '1'.repeat(400),
  'Fri, 31 Dec 9999 23:59:59 GMT',
  'Sat, 13 Sep 275760 00:00:00 GMT',
  '0',
  '-1',
  'Infinity',
  'NaN',
  '1e999',
  '',
  'Thu, 01 Jan 1970 00:00:00 GMT',
]

describe.each(HEADERS)('%s', (header) => {
  it.each(VALUES)('of %j is waited for within the bounds of the call, or not at all', async (value) => {
    const records: CallRecord[] = []
    const fetch = () => answer('{}', { status: 503, headers: { [header]: value } })
    const retry = { delay: () => 1 }
    const took = startStopwatch()
    const error = await rejection(
      createClient({ fetch, retry, onCall: (record) => void records.push(record) })
        .get('x')
        .json(),
    )
    expect(took()).toBeLessThan(1000)
    expect(error).toMatchObject({ code: 'ERR_SERVICE_RESPONSE', status: 503 })
    expect(JSON.stringify({ error, records })).not.toMatch(/Infinity|NaN|null/)
  })

  it.each(VALUES)('of %j on a 429 is a number that JSON can hold', async (value) => {
    const fetch = () => answer('{}', { status: 429, headers: { [header]: value } })
    const { retryAfterMs, ...rest } = (await rejection(createClient({ fetch, retry: 0 }).get('x'))) as {
      retryAfterMs?: number
      code: string
    }
    expect(rest.code).toBe('ERR_SERVICE_THROTTLED')
    if (retryAfterMs !== undefined) expect(Number.isSafeInteger(Math.floor(retryAfterMs))).toBe(true)
  })
})

it('a delay in any header becomes a delay that JSON can hold, or none', () => {
  const text = fc.oneof(
    fc.stringMatching(/^[\x21-\x7e]{0,30}$/),
    fc.bigInt().map(String),
    fc.double().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  )
  fc.assert(
    fc.property(fc.constantFrom(...HEADERS), text, (name, value) => {
      const delay = readRetryAfter(new Headers({ [name]: value.trim() }))
      if (delay !== undefined) expect(delay >= 0 && delay <= Number.MAX_SAFE_INTEGER).toBe(true)
    }),
  )
})

describe('a delay of the caller', () => {
  it.each([YEARS, Number.POSITIVE_INFINITY, Number.NaN, -1, -YEARS, 2 ** 31, 'soon' as never, 1n as never])(
    'of %s overflows no timer',
    async (delay) => {
      const fetch = vi.fn(() => answer('{}', { status: 503 }))
      const took = startStopwatch()
      const retry = { delay: () => delay, jitter: false as never }
      expect(await rejection(createClient({ fetch, retry }).get('x'))).toMatchObject({ status: 503 })
      expect(took()).toBeLessThan(1000)
      // One below 0 waits for nothing.
      expect(fetch).toHaveBeenCalledTimes(typeof delay === 'number' && delay < 0 ? 3 : 1)
    },
  )

  it.each([() => YEARS, () => Number.NaN, () => Number.POSITIVE_INFINITY])('jittered to %s neither', async (jitter) => {
    const fetch = vi.fn(() => answer('{}', { status: 503 }))
    expect(await rejection(createClient({ fetch, retry: { jitter } }).get('x'))).toMatchObject({ status: 503 })
    expect(fetch).toHaveBeenCalledOnce()
  })

  it('for a retry that a hook asks for overflows none, and ends with the call', async () => {
    const { default: ky } = await import('ky')
    const fetch = vi.fn(() => answer('{}', { status: 200 }))
    const hooks = { afterResponse: [() => ky.retry({ delay: YEARS })] }
    const error = await rejection(createClient({ fetch }).get('x', { hooks, totalTimeout: 50 }))
    expect(error).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' })
    expect(fetch).toHaveBeenCalledOnce()
  })
})

describe('an invocation whose remaining time is', () => {
  const gone = () => {
    throw new Error('no context')
  }
  it.each([
    ['not a number', () => Number.NaN],
    ['without an end', () => Number.POSITIVE_INFINITY],
    ['longer than a timer', () => 5e9],
    ['an error', gone],
    ['undefined', () => undefined as never],
    ['a text', () => '30000' as never],
    ['a symbol', () => Symbol('30000') as never],
    ['a BigInt', () => 30_000n as never],
  ])('%s makes calls all the same', async (_, getRemainingTimeInMillis) => {
    const records: CallRecord[] = []
    const fetch = vi.fn(() => answer('{"a":1}'))
    const handler = middy({ timeoutEarlyInMillis: 0 })
      .use(
        signedServices({
          services: { ai: BASE },
          credentials: IDENTITY,
          fetch,
          onCall: (record) => void records.push(record),
        }),
      )
      .handler(async (_event, context) => (context as ServicesContext<'ai'>).services.ai.get('x').json())
    expect(await handler({}, { getRemainingTimeInMillis } as never)).toEqual({ a: 1 })
    expect(JSON.stringify(records)).not.toMatch(/Infinity|null|NaN/)
  })

  it.each([0, -1, -5e9, Number.MIN_SAFE_INTEGER])('%d ms sends nothing', async (left) => {
    const fetch = vi.fn(() => answer())
    const handler = middy({ timeoutEarlyInMillis: 0 })
      .use(signedServices({ services: { ai: BASE }, credentials: IDENTITY, fetch }))
      .handler(async (_event, context) => (context as ServicesContext<'ai'>).services.ai.get('x').json())
    const error = await rejection(handler({}, { getRemainingTimeInMillis: () => left } as never))
    expect(error).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT', deadline: true, attempts: 0, timeoutMs: 0 })
    expect(fetch).not.toHaveBeenCalled()
  })
})

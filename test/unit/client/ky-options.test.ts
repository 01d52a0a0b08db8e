import type { Options } from 'ky'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { sealOptions } from '../../../src/client/ky-options.ts'
import { createRetryQuota } from '../../../src/client/retry-budget.ts'
import { type Call, openCall } from '../../../src/client/service-call.ts'
import type { ServiceConfig } from '../../../src/config/resolve-config.ts'
import type { Deadline } from '../../../src/middleware/deadline.ts'
import type { Outgoing } from '../../../src/signing/request-body.ts'

const TARGET = new URL('https://h.example/prod/x')
const hook = () => {}

/** Options as ky gives them to its last init hook. */
function seal(given: Options, { target = TARGET as URL | Request, deadline = undefined as Deadline | undefined } = {}) {
  const call: Call = openCall({ name: 'ai', timeout: 1000 } as ServiceConfig, { readTrace: () => undefined, deadline })
  const options: Options = { ...given, hooks: { init: [hook], ...given.hooks } }
  const sent: Outgoing[] = []
  const send = async (_: unknown, outgoing: Outgoing) => {
    sent.push(outgoing)
    return new Response()
  }
  sealOptions(options, call, target, createRetryQuota(), send)
  return { options, call, sent }
}

describe('a signal', () => {
  it.each<[boolean, Options]>([
    [false, {}],
    [false, { hooks: { beforeRequest: [], afterResponse: [] } }],
    [true, { hooks: { afterResponse: [hook] } }],
    [true, { hooks: { beforeRequest: [], beforeRetry: [hook] } }],
    [true, { onUploadProgress: hook }],
  ])('is made where somebody can see it: %s with %o', (isMade, given) => {
    expect(seal(given).options.signal instanceof AbortSignal).toBe(isMade)
    expect(seal(given, { target: new Request(TARGET) }).options.signal).toBeInstanceOf(AbortSignal)
  })

  it("of ky's own Request bounds an attempt where it can abort apart from the call", async () => {
    for (const [given, isSent] of [
      [{}, false],
      [{ totalTimeout: 1000 }, true],
      [{ onUploadProgress: hook }, true],
    ] as const) {
      const { options, sent } = seal(given)
      const request = new Request(TARGET)
      await options.fetch?.(request, {})
      expect(sent[0]?.signal).toBe(isSent ? request.signal : undefined)
    }
  })
})

describe('a body', () => {
  const taken = { json: undefined, body: undefined }

  it.each<[Options, string, string]>([
    [{ method: 'post', json: { a: 1 } }, '{"a":1}', 'application/json'],
    [{ method: 'PUT', json: 1n, stringifyJson: () => '1' }, '1', 'application/json'],
    [{ method: 'patch', body: 'text' }, 'text', 'text/plain;charset=UTF-8'],
    [{ method: 'getter', body: 'text' }, 'text', 'text/plain;charset=UTF-8'],
    [{ method: 'ahead', body: 'text' }, 'text', 'text/plain;charset=UTF-8'],
  ])("of %o does not go through ky's hands", async (given, body, contentType) => {
    const { options, sent } = seal(given)
    expect(options).toMatchObject(taken)
    await options.fetch?.(new Request(TARGET, { method: 'POST' }), {})
    expect(sent[0]?.body).toBe(body)
    expect(sent[0]?.headers.get('content-type')).toBe(contentType)
  })

  it.each<Options>([
    { json: { a: 1 } },
    { method: 'get', json: { a: 1 } },
    { method: 'HEAD', body: 'text' },
    { method: 'post', body: new URLSearchParams({ a: '1' }) },
    { method: 'post', json: { a: 1 }, hooks: { beforeRequest: [hook] } },
  ])('of %o is left to ky, who refuses or writes it', (given) => {
    const { options } = seal(given)
    expect(options).toMatchObject({ ...given, hooks: expect.anything() })
  })
})

describe('a retry', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  /** What the rules say to an answer that asks to wait for 2 s. */
  async function ask(given: Options, deadline?: Partial<Deadline>, elapsed = 0) {
    vi.useFakeTimers()
    vi.advanceTimersByTime(1000)
    const { options, call } = seal(given, { deadline: deadline as Deadline })
    vi.advanceTimersByTime(elapsed)
    const outcome = new Response(null, { status: 503, headers: { 'retry-after': '2' } })
    call.lastAttempt = { method: 'GET', idempotencyKey: null, outcome }
    const { shouldRetry } = options.retry as { shouldRetry: (state: object) => Promise<boolean> }
    const answer = shouldRetry({ error: new Error('503'), retryCount: 1 })
    await vi.advanceTimersByTimeAsync(2000)
    return answer
  }
  const left = (ms: number): Partial<Deadline> => ({ remaining: () => ms, signal: new AbortController().signal })

  it.each<[boolean, Options, Partial<Deadline> | undefined, number]>([
    [false, {}, undefined, 0],
    [false, { timeout: 1999 }, undefined, 0],
    [true, { timeout: 2000 }, undefined, 0],
    [true, { timeout: false }, undefined, 0],
    [true, {}, left(2001), 0],
    [false, { timeout: 5000 }, left(2000), 0],
    [true, { timeout: 5000, totalTimeout: false }, undefined, 0],
    [true, { timeout: 5000, totalTimeout: 2500 }, undefined, 499],
    [false, { timeout: 5000, totalTimeout: 2500 }, undefined, 500],
  ])('waits for no longer than there is time: %s with %o', async (isAllowed, given, deadline, elapsed) => {
    expect(await ask(given, deadline, elapsed)).toBe(isAllowed)
  })
})

it.each([1, 2 ** 31 - 1, false as const])('a timeout of %s is taken', (timeout) => {
  expect(seal({ timeout }).call.timeout).toBe(timeout)
})

import ky, { type Options } from 'ky'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createReporter } from '../../../src/client/call-log.ts'
import { finishOptions, mergeOptions, normalizeCallOptions } from '../../../src/client/call-options.ts'
import { createRetryBudget } from '../../../src/client/retry-budget.ts'
import { ServiceCall } from '../../../src/client/service-call.ts'
import { resolveConfig, type ServiceConfig } from '../../../src/config/resolve-config.ts'
import type { UnsignedRequest } from '../../../src/signing/request-body.ts'
import { ReceivedResponse } from '../../../src/transport/received-response.ts'

const TARGET = new URL('https://h.example/prod/x')
const CONFIG = resolveConfig({
  services: { ai: 'https://h.example/prod' },
  region: 'eu-central-1',
  timeout: 1000,
}).services.get('ai') as ServiceConfig
const hook = () => {}

interface Surroundings {
  readonly target?: URL | Request
  readonly remaining?: (() => number) | undefined
  readonly status?: number
}

/** The options that ky is given for one call, and what that call sends. */
function finish(given: Options, { target = TARGET, remaining, status = 200 }: Surroundings = {}) {
  const sent: UnsignedRequest[] = []
  const head = { status, statusText: '', headers: new Headers({ 'retry-after': '2' }), url: TARGET.href }
  const state = {
    retryBudget: createRetryBudget(),
    breaker: undefined,
    report: createReporter(),
    sendSigned: async (request: UnsignedRequest) => {
      sent.push(request)
      return new ReceivedResponse(head, null, { toError: (error) => error })
    },
  }
  const call = new ServiceCall(CONFIG, state, { readTrace: () => undefined, remaining })
  call.resolveUrl(target)
  const send = vi.spyOn(call, 'send')
  return { options: finishOptions(call, given, target), call, send, sent }
}

describe('normalizeCallOptions', () => {
  it.each([null, undefined, {}])('makes of %o an object', (given) => {
    expect(normalizeCallOptions(given)).toEqual({})
  })

  it('writes the number of retries and the names of headers as ky merges them', () => {
    const given = { retry: 3, headers: { 'X-Team': 'a' } }
    expect(normalizeCallOptions(given)).toEqual({ retry: { limit: 3 }, headers: { 'x-team': 'a' } })
    expect(given).toEqual({ retry: 3, headers: { 'X-Team': 'a' } })
  })

  it('does not change Headers and pairs', () => {
    for (const headers of [new Headers({ a: 'b' }), [['A', 'b']]] as NonNullable<Options['headers']>[]) {
      expect(normalizeCallOptions({ headers }).headers).toBe(headers)
    }
  })
})

describe('mergeOptions', () => {
  it("merges a client's defaults and a call's options as ky does", () => {
    const client = ky.create({ headers: { a: '1', b: '1' }, timeout: 5 })
    const merged = mergeOptions(client, { headers: { b: '2' }, retry: { limit: 1 } })
    expect(merged).toMatchObject({ timeout: 5, retry: { limit: 1 } })
    expect(Object.fromEntries(new Headers(merged.headers as Record<string, string>))).toEqual({ a: '1', b: '2' })
    expect(mergeOptions(client)).toMatchObject({ timeout: 5 })
  })
})

describe("the call's own options", () => {
  it('stand above those of the caller', () => {
    const { options } = finish({ fetch, timeout: 5, totalTimeout: 10, signal: AbortSignal.abort() })
    expect(options).toMatchObject({ timeout: false, totalTimeout: false, signal: null })
    expect(options.fetch).not.toBe(fetch)
  })

  it("have the call's signal where a caller can see ky's Request", () => {
    const { options, call } = finish({ hooks: { beforeRequest: [hook] }, signal: new AbortController().signal })
    expect(options.signal).toBe(call.signal)
  })

  it.each<[boolean, Options]>([
    [false, {}],
    [false, { totalTimeout: 1000 }],
    [false, { hooks: { beforeRequest: [], afterResponse: [] } }],
    [true, { hooks: { afterResponse: [hook] } }],
    [true, { hooks: { beforeRequest: [], beforeRetry: [hook] } }],
    [true, { onUploadProgress: hook }],
  ])(
    "follow the signal of ky's Request where a caller can put another Request in its place: %s with %o",
    async (isFollowed, given) => {
      const { options, send } = finish(given)
      const request = new Request(TARGET)
      await options.fetch?.(request, {})
      expect(send.mock.calls[0]?.[1]?.endsWith).toBe(isFollowed ? request.signal : undefined)
    },
  )

  it("follow the signal of ky's Request where the caller gave a Request", async () => {
    const { options, send } = finish({}, { target: new Request(TARGET) })
    const request = new Request(TARGET)
    await options.fetch?.(request, {})
    expect(send.mock.calls[0]?.[1]?.endsWith).toBe(request.signal)
  })
})

describe('an error status', () => {
  it.each<[boolean, Options]>([
    [true, {}],
    [true, { throwHttpErrors: true }],
    [false, { throwHttpErrors: false }],
    [true, { throwHttpErrors: (status) => status === 404 }],
    [false, { throwHttpErrors: (status) => status !== 404 }],
  ])('is thrown, so that its body is cut: %s with %o', async (isThrown, given) => {
    const { options, send } = finish(given)
    await options.fetch?.(new Request(TARGET), {})
    expect(send.mock.calls[0]?.[1]?.isError?.(404)).toBe(isThrown)
  })
})

describe('a signal', () => {
  it.each<[string, (signal: AbortSignal) => [Options, URL | Request]]>([
    ['of the options', (signal) => [{ signal }, TARGET]],
    ['of a Request', (signal) => [{}, new Request(TARGET, { signal })]],
  ])('%s ends the call with its reason', (_, create) => {
    const controller = new AbortController()
    const [given, target] = create(controller.signal)
    const { call } = finish(given, { target })
    expect(call.signal.aborted).toBe(false)
    controller.abort('mine')
    expect(call.signal.reason).toBe('mine')
  })
})

describe('init hooks', () => {
  it('change the options of their own call, and no others', () => {
    const json = { a: 1 }
    const list = [1]
    const searchParams = new URLSearchParams({ a: '1' })
    const retry = { limit: 1, methods: ['get'] }
    const change = (options: Options) => {
      const { json: body } = options
      if (Array.isArray(body)) body.push(2)
      else Object.assign(body as object, { b: 2 })
      ;(options.searchParams as URLSearchParams).set('a', '2')
      Object.assign(options.retry as object, { limit: 9 })
    }
    for (const body of [json, list]) {
      const { options } = finish({ json: body, searchParams, retry, hooks: { init: [change], beforeRequest: [hook] } })
      expect(String(options.searchParams)).toBe('a=2')
      expect(options.retry).toMatchObject({ limit: 9 })
      expect(options.json).toEqual(body === list ? [1, 2] : { a: 1, b: 2 })
    }
    expect([json, list, String(searchParams), retry]).toEqual([{ a: 1 }, [1], 'a=1', { limit: 1, methods: ['get'] }])
  })

  it('run once, before the client adds its own options', () => {
    const seen: Options[] = []
    const { options } = finish({ hooks: { init: [(given) => void seen.push({ ...given })] } })
    expect(seen).toHaveLength(1)
    expect(seen[0]).not.toHaveProperty('fetch')
    expect(options.hooks).not.toHaveProperty('init')
  })
})

describe('a body', () => {
  const taken = { json: undefined, body: null }

  it.each<[Options, string, string]>([
    [{ method: 'post', json: { a: 1 } }, '{"a":1}', 'application/json'],
    [{ method: 'PUT', json: 1n, stringifyJson: () => '1' }, '1', 'application/json'],
    [{ method: 'patch', body: 'text' }, 'text', 'text/plain;charset=UTF-8'],
    [{ method: 'getter', body: 'text' }, 'text', 'text/plain;charset=UTF-8'],
    [{ method: 'ahead', body: 'text' }, 'text', 'text/plain;charset=UTF-8'],
  ])('of %o is read before ky makes a Request of it', async (given, body, contentType) => {
    const { options, sent } = finish(given)
    expect(options).toMatchObject(taken)
    await options.fetch?.(new Request(TARGET, { method: 'POST' }), {})
    expect(Buffer.from(sent[0]?.body as Uint8Array).toString()).toBe(body)
    expect(sent[0]?.headers.get('content-type')).toBe(contentType)
  })

  it('of a class is written by its own toJSON', async () => {
    class Amount {
      readonly euro = 5
      toJSON() {
        return `${this.euro} EUR`
      }
    }
    const { options, sent } = finish({ method: 'post', json: new Amount() })
    await options.fetch?.(new Request(TARGET, { method: 'POST' }), {})
    expect(Buffer.from(sent[0]?.body as Uint8Array).toString()).toBe('"5 EUR"')
  })

  it.each<Options>([
    { json: { a: 1 } },
    { method: 'get', json: { a: 1 } },
    { method: 'HEAD', body: 'text' },
    { method: 'post', body: new URLSearchParams({ a: '1' }) },
    { method: 'post', json: { a: 1 }, hooks: { beforeRequest: [hook] } },
  ])('of %o is left to ky, which refuses or writes it', (given) => {
    const { options } = finish(given)
    expect(options).toMatchObject(given)
  })

  it('of a Request is not lost to its own query', () => {
    const target = new Request(TARGET, { method: 'POST', body: 'a' })
    expect(() => finish({ searchParams: { a: 1 } }, { target })).toThrow(
      'ai: GET /x: searchParams cannot be combined with a Request that has a body: ky would send it without its body',
    )
    expect(finish({ searchParams: { a: 1 } }, { target: new Request(TARGET) }).options.searchParams).toEqual({ a: 1 })
  })
})

describe('a retry', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  /** Whether a response that asks to wait for 2 s is retried, `elapsed` milliseconds after the call began. */
  async function ask(given: Options, left: number | undefined, elapsed: number) {
    vi.useFakeTimers()
    const remaining = left === undefined ? undefined : () => left
    const { options } = finish(given, { remaining, status: 503 })
    await options.fetch?.(new Request(TARGET), {})
    vi.advanceTimersByTime(elapsed)
    const { shouldRetry } = options.retry as { shouldRetry: (state: object) => Promise<boolean> }
    const answer = shouldRetry({ error: new Error('503'), retryCount: 1 })
    await vi.advanceTimersByTimeAsync(2000)
    return answer
  }

  it.each<[boolean, Options, number | undefined, number]>([
    [false, {}, undefined, 0],
    [false, { timeout: 1999 }, undefined, 0],
    [true, { timeout: 2000 }, undefined, 0],
    [true, { timeout: false }, undefined, 0],
    [true, {}, 2001, 0],
    [false, { timeout: 5000 }, 2000, 0],
    [true, { timeout: 5000, totalTimeout: false }, undefined, 0],
    [true, { timeout: 5000, totalTimeout: 2500 }, undefined, 499],
    [false, { timeout: 5000, totalTimeout: 2500 }, undefined, 500],
  ])('waits for no longer than there is time: %s with %o, %s ms left', async (isAllowed, given, left, elapsed) => {
    expect(await ask(given, left, elapsed)).toBe(isAllowed)
  })
})

describe('a timeout', () => {
  it.each([1, 2 ** 31 - 1, false as const])('of %s is taken', (timeout) => {
    expect(finish({ timeout }).call.timeout).toBe(timeout)
  })

  it.each([0, -1, Number.NaN, 2 ** 31])('of %d is refused, for an attempt or the whole call', (ms) => {
    expect(() => finish({ timeout: ms })).toThrow(
      'ai: GET /x: the timeout must be false or between 0 and 2147483647 ms',
    )
    expect(() => finish({ totalTimeout: ms })).toThrow(
      'ai: GET /x: the totalTimeout must be false or between 0 and 2147483647 ms',
    )
  })
})

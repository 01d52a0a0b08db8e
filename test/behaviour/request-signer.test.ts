import { beforeEach, describe, expect, expectTypeOf, it, onTestFinished, vi } from 'vitest'
import * as entry from '../../src/index.ts'
import * as signer from '../../src/request-signer.ts'
import {
  BatchInvokeError,
  batchInvokeApiGateway,
  invokeAdminService,
  invokeAiService,
  invokeApiGateway,
  invokeApiGatewayWithRetry,
  invokeBackgroundService,
  invokeIntegrationService,
} from '../../src/request-signer.ts'
import type { LocalGateway, RouteRequest, Routes } from '../../src/testing/index.ts'
import { answer, rejection, setEnv, useGateway } from '../support/helpers.ts'

const echo = ({ method, path, searchParams, json, headers, body }: RouteRequest) => ({
  method,
  path,
  searchParams,
  json,
  text: Buffer.from(body).toString(),
  type: headers['content-type'],
})
const routes: Routes = Object.fromEntries(
  ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => [`${method} /echo`, echo]),
)

let gateway: LocalGateway
let url: string
beforeEach(async () => {
  gateway = await useGateway({
    ai: { ...routes, 'GET /empty': undefined, 'GET /text': 'no JSON' },
    integration: routes,
    background: routes,
    admin: routes,
  })
  url = `${gateway.url}/ai`
})

it('gives the error classes of the other entry', () => {
  const isError = ([, value]: [string, unknown]) => typeof value === 'function' && value.prototype instanceof Error
  const errors = Object.entries(entry).filter(isError)
  expect(errors).toHaveLength(9)
  for (const [name, value] of errors) expect(Reflect.get(signer, name), name).toBe(value)
})

describe('invoke...Service', () => {
  it.each([
    ['ai', invokeAiService],
    ['integration', invokeIntegrationService],
    ['background', invokeBackgroundService],
    ['admin', invokeAdminService],
  ])('calls %s by its variable', async (service, invoke) => {
    expect(await invoke('/echo')).toMatchObject({ method: 'GET' })
    expect(await invoke('echo', 'POST', { a: 1 }, { q: 'b c', n: 1, none: undefined })).toMatchObject({
      method: 'POST',
      json: { a: 1 },
      searchParams: { q: 'b c', n: '1' },
      type: 'application/json',
    })
    expect(gateway.requests.map((seen) => [seen.service, seen.signature.verified])).toEqual([
      [service, true],
      [service, true],
    ])
  })

  it('misses its own variable alone, and only when it is called', async () => {
    setEnv({ AI_SERVICE_API_URL: undefined, ADMIN_SERVICE_API_URL: undefined })
    expect(await rejection(invokeAiService('/echo'))).toMatchObject({
      code: 'ERR_SERVICES_CONFIG',
      problems: ['AI_SERVICE_API_URL: API Gateway URL not set'],
    })
    expect(await invokeIntegrationService('/echo')).toMatchObject({ method: 'GET' })
  })

  it.each([
    [
      'ftp://ai.example.com',
      'AI_SERVICE_API_URL: must start with https:// (http:// only for loopback hosts, or with the option allowHttp)',
    ],
    ['ai.example.com/prod', 'AI_SERVICE_API_URL: https:// is missing'],
    ['https://user:hunter2@ai.example.com', 'AI_SERVICE_API_URL: must not contain credentials'],
    [
      'https://x.sqs.eu-west-1.amazonaws.com',
      'AI_SERVICE_API_URL: an AWS host of an unknown service: set region and signingName',
    ],
  ])('names its variable where the URL is wrong, %s', async (wrong, problem) => {
    setEnv({ AI_SERVICE_API_URL: wrong })
    const error = (await rejection(invokeAiService('/echo'))) as Error
    expect(error).toMatchObject({ code: 'ERR_SERVICES_CONFIG', problems: [problem] })
    // Without advice for an option that plain functions do not have.
    expect(error.message).toBe(`The services cannot be configured:\n  - ${problem}`)
    expect(error.message).not.toContain('hunter2')
  })

  it('names the variable of the region where that is wrong', async () => {
    setEnv({ ADMIN_SERVICE_API_URL: 'https://admin.example.com', AWS_REGION: '"eu-central-1"' })
    expect(await rejection(invokeAdminService('/echo'))).toMatchObject({
      problems: ['AWS_REGION: must be a region such as eu-central-1'],
    })
    setEnv({ AWS_REGION: undefined })
    expect(await rejection(invokeAdminService('/echo'))).toMatchObject({
      problems: ['ADMIN_SERVICE_API_URL: the host name contains no region, and AWS_REGION is not set'],
    })
  })

  it('reads its variable again when it changes', async () => {
    await invokeAiService('/echo')
    setEnv({ AI_SERVICE_API_URL: `${gateway.url}/admin` })
    await invokeAiService('/echo')
    expect(gateway.requests.map(({ service }) => service)).toEqual(['ai', 'admin'])
  })

  it('does not end the process if its failure is not awaited', async () => {
    const unhandled = vi.fn()
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    process.on('unhandledRejection', unhandled)
    onTestFinished(() => {
      process.off('unhandledRejection', unhandled)
      warn.mockRestore()
    })
    invokeAiService('/none')
    await vi.waitFor(() => expect(warn).toHaveBeenCalledOnce())
    expect(warn.mock.calls[0]?.[0]).toMatch(
      /^A call failed and was never awaited: ai: GET \/none: 403 ERR_SERVICE_AUTH$/,
    )
    expect(unhandled).not.toHaveBeenCalled()
  })

  it('has the type that the caller gives', async () => {
    const invoke = () => invokeAiService<{ jobId: string }>('/generate', 'POST', {})
    expectTypeOf(invoke).returns.resolves.toEqualTypeOf<{ jobId: string }>()
    expectTypeOf(() => invokeApiGateway(url, 'GET', '/echo')).returns.resolves.toBeUnknown()
    expect(invoke).toBeTypeOf('function')
  })
})

describe('invokeApiGateway', () => {
  it.each([
    ['an object', { a: [1] }, '{"a":[1]}', 'application/json'],
    ['a list', [1, 2], '[1,2]', 'application/json'],
    ['a number', 5, '5', 'application/json'],
    ['text, as it is', '{"b":2}', '{"b":2}', 'application/json'],
    ['bytes', new Uint8Array([104, 105]), 'hi', undefined],
    ['a buffer', new Uint8Array([104, 105]).buffer, 'hi', undefined],
    ['form fields', new URLSearchParams({ a: '1' }), 'a=1', 'application/x-www-form-urlencoded;charset=UTF-8'],
    ['a Blob', new Blob(['hi'], { type: 'text/x' }), 'hi', 'text/x'],
    ['null', null, '', undefined],
    ['nothing', undefined, '', undefined],
  ])('sends %s', async (_, body, text, type) => {
    const seen = await invokeApiGateway<{ text: string; type?: string }>(url, 'POST', '/echo', body)
    expect([seen.text, seen.type]).toEqual([text, type])
  })

  it('sends headers, which win over its own', async () => {
    const options = { headers: { 'content-type': 'text/plain', 'x-team': 'a' } }
    expect(await invokeApiGateway(url, 'post', '/echo', 'text', {}, options)).toMatchObject({
      method: 'POST',
      type: 'text/plain',
    })
    expect(gateway.requests[0]?.headers['x-team']).toBe('a')
  })

  it('gives undefined for an empty response, and an error for one that is not JSON', async () => {
    expect(await invokeApiGateway(url, 'GET', '/empty')).toBeUndefined()
    expect(await rejection(invokeApiGateway(url, 'GET', '/text'))).toMatchObject({
      code: 'ERR_SERVICE_RESPONSE',
      data: 'no JSON',
    })
  })

  it('ends with its timeout or its signal', async () => {
    gateway.fail('*', 'hang')
    expect(await rejection(invokeApiGateway(url, 'GET', '/echo', undefined, undefined, { timeout: 20 }))).toMatchObject(
      { code: 'ERR_SERVICE_TIMEOUT', timeoutMs: 20 },
    )
    const signal = AbortSignal.timeout(20)
    expect(await rejection(invokeApiGateway(url, 'GET', '/echo', undefined, undefined, { signal }))).toBe(signal.reason)
  })

  it('names the status in its message, as hand-written signers do', async () => {
    gateway.fail('*', 'access-denied')
    expect((await rejection(invokeApiGateway(url, 'POST', '/echo', {}))) as Error).toMatchObject({
      message: expect.stringMatching(/^api 127\.0\.0\.1:\d+\/ai: POST \/echo: 403 AccessDeniedException/),
    })
  })

  it.each([
    ['', 'apiUrl: API Gateway URL not set'],
    [undefined, 'apiUrl: API Gateway URL not set'],
    ['not a URL', 'apiUrl: not a URL'],
    ['h.example/prod', 'apiUrl: https:// is missing'],
    [
      'http://h.example',
      'apiUrl: must start with https:// (http:// only for loopback hosts, or with the option allowHttp)',
    ],
  ])('refuses the URL %j, and looks for no other', async (wrong, problem) => {
    setEnv({ API_SERVICE_API_URL: url })
    const error = (await rejection(invokeApiGateway(wrong as string, 'GET', '/echo'))) as Error
    expect(error).toMatchObject({ code: 'ERR_SERVICES_CONFIG', problems: [problem] })
    expect(error.message).toBe(`The services cannot be configured:\n  - ${problem}`)
    expect(gateway.requests).toEqual([])
  })

  it('refuses values that are not text', async () => {
    expect(await rejection(invokeApiGateway(5 as never, 'GET', '/echo'))).toMatchObject({
      code: 'ERR_SERVICES_CONFIG',
      problems: ['apiUrl: must be a string; got 5'],
    })
  })

  it('remembers the clock of each URL, and forgets the oldest of very many', async () => {
    const skewed = new Date(Date.now() + 3_600_000)
    const dates: (string | null)[] = []
    let isRefused = true
    vi.stubGlobal('fetch', (_: unknown, init: RequestInit) => {
      dates.push(new Headers(init.headers).get('x-amz-date'))
      if (!isRefused) return answer()
      isRefused = false
      const headers = { 'x-amzn-errortype': 'InvalidSignatureException', date: skewed.toUTCString() }
      return answer('{"message":"Signature expired: 1"}', { status: 403, headers })
    })
    onTestFinished(() => {
      vi.unstubAllGlobals()
    })
    const hourOf = async (name: string) => {
      await invokeApiGateway(`https://${name}.execute-api.eu-central-1.amazonaws.com`, 'GET', 'x')
      return dates.at(-1)?.slice(0, 11)
    }
    const later = skewed.toISOString().replace(/-/g, '').slice(0, 11)
    expect(await hourOf('learned')).toBe(later)
    expect(dates).toHaveLength(2)
    for (let index = 1; index < 100; index += 1) expect(await hourOf(`other${index}`)).not.toBe(later)
    expect(await hourOf('learned')).toBe(later)
    await hourOf('other100')
    expect(await hourOf('learned')).not.toBe(later)
  })
})

describe('invokeApiGatewayWithRetry', () => {
  it.each(['GET', 'POST', 'PATCH'])('sends a %s again where the service fails', async (method) => {
    gateway.fail('*', { fault: 'internal-error', times: 2 })
    expect(
      await invokeApiGatewayWithRetry(url, method, '/echo', method === 'GET' ? undefined : {}, undefined, 3, 1),
    ).toMatchObject({ method })
    expect(gateway.requests.map(({ status }) => status)).toEqual([500, 500, 200])
  })

  it('also where a connection is reset, or the response asks to wait', async () => {
    gateway.fail('*', { fault: 'reset-after-read', times: 1 })
    await invokeApiGatewayWithRetry(url, 'POST', '/echo', {}, undefined, 1, 1)
    gateway.fail('*', { status: 429, body: {}, headers: { 'retry-after': '0' }, times: 1 })
    await invokeApiGatewayWithRetry(url, 'POST', '/echo', {}, undefined, 1, 60_000)
    expect(gateway.requests).toHaveLength(4)
  })

  it('fails with the last error after maxRetries, with the number of requests that were sent', async () => {
    gateway.fail('*', 'bad-gateway')
    const error = await rejection(invokeApiGatewayWithRetry(url, 'POST', '/echo', {}, undefined, 2, 1))
    expect({ ...(error as object) }).toMatchObject({ status: 502, attempts: 3 })
    expect(gateway.requests).toHaveLength(3)
    await rejection(invokeApiGatewayWithRetry(url, 'POST', '/echo', {}, undefined, 0))
    expect(gateway.requests).toHaveLength(4)
  })

  it('sends exactly maxRetries retries, also for methods that clients retry by default', async () => {
    gateway.fail('*', 'internal-error')
    await rejection(invokeApiGatewayWithRetry(url, 'GET', '/echo', undefined, undefined, 1, 1))
    expect(gateway.requests).toHaveLength(2)
  })

  it('sends a stream again as the bytes that it was', async () => {
    gateway.fail('*', { fault: 'internal-error', times: 1 })
    const body = new Blob(['streamed']).stream()
    expect(await invokeApiGatewayWithRetry(url, 'POST', '/echo', body, undefined, 1, 1)).toMatchObject({
      text: 'streamed',
    })
    expect(gateway.requests).toHaveLength(2)
  })

  describe('waits', () => {
    /** How long it waits before each retry, of a service that asks for `retryAfter`. */
    const delaysOf = async (retryAfter: string | undefined, maxRetries: number, baseDelay?: number) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
      vi.spyOn(Math, 'random').mockReturnValue(0.5)
      const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': retryAfter }
      const sentAt: number[] = []
      vi.stubGlobal('fetch', () => {
        sentAt.push(Date.now())
        return answer('{}', { status: 503, headers })
      })
      onTestFinished(() => {
        vi.useRealTimers()
        vi.restoreAllMocks()
        vi.unstubAllGlobals()
      })
      const api = 'https://id.execute-api.eu-central-1.amazonaws.com'
      const error = rejection(invokeApiGatewayWithRetry(api, 'GET', 'x', undefined, undefined, maxRetries, baseDelay))
      let hasEnded = false
      error.then(() => {
        hasEnded = true
      })
      while (!hasEnded) {
        await new Promise(setImmediate)
        await new Promise(setImmediate)
        await vi.advanceTimersByTimeAsync(500)
      }
      expect(await error).toMatchObject({ status: 503, attempts: sentAt.length })
      return sentAt.slice(1).map((at, index) => at - (sentAt[index] as number))
    }

    it.each<[string, string | undefined, number, number | undefined, number[]]>([
      ['twice as long each time, with full jitter', undefined, 4, undefined, [500, 1000, 2000, 4000]],
      ['as long as an answer asks', '30', 1, undefined, [30_000]],
      ['no longer than 30 seconds because an answer asks for it', '31', 3, undefined, []],
      ['as long as an answer asks where it would wait longer by itself', '45', 1, 100_000, [45_000]],
    ])('%s', async (_, retryAfter, maxRetries, baseDelay, delays) => {
      expect(await delaysOf(retryAfter, maxRetries, baseDelay)).toEqual(delays)
    })
  })

  it('does not repeat a configuration error', async () => {
    const error = await rejection(invokeApiGatewayWithRetry('nope', 'GET', '/echo'))
    expect(error).toMatchObject({ code: 'ERR_SERVICES_CONFIG' })
    expect(error).not.toHaveProperty('attempts')
  })

  it.each(['quota', 'access-denied', 'http-api-not-found', 'too-large'] as const)(
    'does not repeat what %s refuses',
    async (fault) => {
      gateway.fail('*', fault)
      await rejection(invokeApiGatewayWithRetry(url, 'GET', '/echo', undefined, undefined, 3, 1))
      expect(gateway.requests).toHaveLength(1)
    },
  )

  it('refuses numbers that are none', async () => {
    expect(await rejection(invokeApiGatewayWithRetry(url, 'GET', '/echo', undefined, undefined, -1))).toEqual(
      new TypeError("'maxRetries' must be a number of at least 0"),
    )
    expect(
      await rejection(
        invokeApiGatewayWithRetry(url, 'GET', '/echo', undefined, undefined, 1, Number.POSITIVE_INFINITY),
      ),
    ).toEqual(new TypeError("'baseDelay' must be a number of at least 0"))
  })
})

describe('batchInvokeApiGateway', () => {
  const request = (path: string, extra: object = {}) => ({ apiUrl: url, method: 'POST', path, ...extra })

  it('gives results in the order of the requests', async () => {
    gateway.fail('ai POST /echo', { delay: 40, times: 1 })
    const results = await batchInvokeApiGateway([
      request('/echo', { body: 1 }),
      request('/echo', { body: 2, queryParams: { q: 1 } }),
      request('/echo', { body: 3, options: { headers: { 'x-n': '3' } } }),
    ])
    expect(results).toMatchObject([{ json: 1 }, { json: 2, searchParams: { q: '1' } }, { json: 3 }])
    expect(gateway.requests.map(({ headers }) => headers['x-n']).toSorted()).toEqual(['3', undefined, undefined])
    expect(await batchInvokeApiGateway([])).toEqual([])
  })

  it('keeps every result and every error when some fail', async () => {
    const error = (await rejection(
      batchInvokeApiGateway([
        request('/echo', { body: 1 }),
        request('/none'),
        request('../x'),
        request('/echo', { body: 4 }),
      ]),
    )) as BatchInvokeError
    expect(error).toBeInstanceOf(BatchInvokeError)
    expect(error).toMatchObject({
      name: 'BatchInvokeError',
      code: 'ERR_BATCH_INVOKE',
      results: [{ json: 1 }, undefined, undefined, { json: 4 }],
      errors: [{ code: 'ERR_SERVICE_AUTH', reason: 'missing-token' }, { code: 'ERR_SERVICE_REQUEST' }],
      failedIndexes: [1, 2],
    })
    const [first, second] = error.errors as Error[]
    expect(error.message).toBe(`2 of 4 requests failed:\n  [1] ${first?.message}\n  [2] ${second?.message}`)
    expect(first?.message).toMatch(/^api 127\.0\.0\.1:\d+\/ai: POST \/none: 403/)
    const aborted = await rejection(
      batchInvokeApiGateway([request('/echo', { options: { signal: AbortSignal.abort('enough') } })]),
    )
    expect((aborted as Error).message).toContain('[0] enough')
  })

  it('fails only the request that is invalid', async () => {
    const wrong = [request('/echo', { options: null }), undefined, request('/echo', { body: 1 })] as never
    expect(await rejection(batchInvokeApiGateway(wrong))).toMatchObject({
      results: [undefined, undefined, { json: 1 }],
      failedIndexes: [0, 1],
    })
  })

  it.each([
    [{}, 10],
    [{ concurrency: 1 }, 1],
    [{ concurrency: 3 }, 3],
    [{ concurrency: 100 }, 25],
  ])('runs at most as many at a time as %o says', async (options, most) => {
    let now = 0
    let peak = 0
    const full = Promise.withResolvers<void>()
    const count = async () => {
      now += 1
      peak = Math.max(peak, now)
      // Held until as many are here as may be, and a little longer, so that one too many would show.
      if (now === most) setTimeout(full.resolve, 20)
      await full.promise
      now -= 1
      return {}
    }
    const busy = await useGateway({ ai: { 'POST /busy': count } })
    await batchInvokeApiGateway(
      Array.from({ length: 25 }, () => ({ apiUrl: `${busy.url}/ai`, method: 'POST', path: '/busy' })),
      options,
    )
    expect(peak).toBe(most)
  })

  it('refuses a concurrency of nothing', async () => {
    expect(await rejection(batchInvokeApiGateway([], { concurrency: 0 }))).toEqual(
      new TypeError("'concurrency' must be a number of at least 1"),
    )
  })
})

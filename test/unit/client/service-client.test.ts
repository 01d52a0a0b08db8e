import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { replaceOption, type StandardSchemaV1 } from 'ky'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  createServices,
  type ServiceClient,
  ServiceRequestError,
  ServiceResponseError,
  ServicesConfigurationError,
} from '../../../src/index.ts'
import { answer, IDENTITY, rejection, setEnv, TRACE_ID, useGateway } from '../../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

interface Sent {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly body: string
}

let sent: Sent[]
let respond: (count: number) => Promise<Response>
beforeEach(() => {
  sent = []
  respond = () => answer()
})

const transport: typeof fetch = async (input, init = {}) => {
  const { method = '', headers, body } = init
  sent.push({
    url: String(input),
    method,
    headers: headers as Headers,
    body: Buffer.from((body ?? '') as Uint8Array).toString(),
  })
  return respond(sent.length)
}

function createClient(options: object = {}): ServiceClient {
  return createServices({ services: { ai: { url: BASE, ...options } }, credentials: IDENTITY, fetch: transport }).ai
}

/** That all went out signed, to where it belongs. */
function expectSigned(count = 1): void {
  expect(sent).toHaveLength(count)
  for (const { url, headers } of sent) {
    expect(url).toMatch(/^https:\/\/id\.execute-api\.eu-central-1\.amazonaws\.com\/prod(\/|$)/)
    expect(headers.get('authorization')).toMatch(/^AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/)
  }
}

describe('a client', () => {
  it('is callable, has a method for each method, a name and a URL', async () => {
    const ai = createClient()
    expect([ai.name, ai.url]).toEqual(['ai', BASE])
    await ai('x')
    await ai('x', { method: 'put', body: 'b' })
    for (const method of ['get', 'post', 'put', 'patch', 'delete', 'head'] as const) await ai[method]('x')
    expect(sent.map(({ method }) => method)).toEqual(['GET', 'PUT', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'])
    expectSigned(8)
  })

  it.each(['generate/post', '/generate/post', '//generate/post'])('keeps the stage before %s', async (path) => {
    await createClient().get(path)
    expect(sent[0]?.url).toBe(`${BASE}/generate/post`)
  })

  it('takes URLs and Requests below its base, and ky options', async () => {
    const ai = createClient()
    await ai(new URL(`${BASE}/a`), { searchParams: { q: 'b c', r: 1 } })
    await ai(new Request(`${BASE}/b`, { method: 'PATCH', body: 'raw' }))
    await ai.post('c', { json: { d: 1 }, searchParams: 'x=1&x=2' })
    expect(sent.map(({ method, url, body }) => [method, url.slice(BASE.length), body])).toEqual([
      ['GET', '/a?q=b%20c&r=1', ''],
      ['PATCH', '/b', 'raw'],
      ['POST', '/c?x=1&x=2', '{"d":1}'],
    ])
  })

  it('gives bodies as ky does, and undefined for an empty JSON response', async () => {
    const ai = createClient()
    respond = () => answer('{"a":1}', { headers: { 'content-type': 'application/json' } })
    expect(await ai.get('x').json<{ a: number }>()).toEqual({ a: 1 })
    expect(await (await ai.get('x')).json()).toEqual({ a: 1 })
    expect(await ai.get('x').text()).toBe('{"a":1}')
    expect(new Uint8Array(await ai.get('x').arrayBuffer())).toHaveLength(7)
    expect(await ai.get('x').bytes()).toHaveLength(7)
    expect((await ai.get('x').blob()).size).toBe(7)
    expect(sent[0]?.headers.get('accept')).toBe('application/json')
    respond = () => answer('a=1', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    expect([...(await ai.get('x').formData())]).toEqual([['a', '1']])
    respond = () => answer(null, { status: 204 })
    expect(await ai.get('x').json()).toBeUndefined()
    expect(await (await ai.get('x')).json()).toBeUndefined()
  })

  it('sends the same body, whether hooks look at it or not', async () => {
    const seen: string[] = []
    const hooks = {
      beforeRequest: [async ({ request }: { request: Request }) => void seen.push(await request.clone().text())],
    }
    const bodies = [
      { json: { a: 'ü' } },
      { json: { b: 1n }, stringifyJson: () => '{"b":1}' },
      { json: { c: 1 }, headers: { 'content-type': 'application/x+json' } },
      { body: 'text' },
      { body: new Uint8Array([65]) },
      { body: new URLSearchParams({ d: '1' }) },
    ]
    const ai = createClient()
    for (const body of bodies) {
      await ai.post('x', body)
      await ai.post('x', { ...body, hooks })
    }
    const shown = sent.map(({ headers, body }) => `${headers.get('content-type')} ${body}`)
    expect(shown.filter((_, index) => index % 2 === 0)).toEqual(shown.filter((_, index) => index % 2 === 1))
    expect(shown.filter((_, index) => index % 2 === 0)).toEqual([
      'application/json {"a":"ü"}',
      'application/json {"b":1}',
      'application/x+json {"c":1}',
      'text/plain;charset=UTF-8 text',
      'null A',
      'application/x-www-form-urlencoded;charset=UTF-8 d=1',
    ])
    expect(seen).toHaveLength(6)
    expect(seen[0]).toBe('{"a":"ü"}')
    expect(await rejection(ai.get('x', { json: {} }))).toMatchObject({ code: 'ERR_SERVICE_REQUEST', attempts: 0 })
    // What is no JSON is no body, for ky.
    await ai.post('x', { json: () => {} })
    expect(sent.at(-1)?.body).toBe('')
  })

  it("leaves nothing of a transport's own context to its caller", async () => {
    const store = new AsyncLocalStorage<string>()
    let isTraced = false
    const traced: typeof fetch = async () => {
      if (isTraced) store.enterWith('of the transport')
      return new Response('{}')
    }
    const { ai } = createServices({ services: { ai: BASE }, credentials: IDENTITY, fetch: traced })
    // The first call waits for its signing key in any case.
    await ai.fetch('x')
    isTraced = true
    // Tracers enter a context when their fetch is called, and leave it when that has settled: what the caller starts
    // meanwhile must not be taken for a part of this call.
    const answers = [ai.fetch('x'), ai.post('x', { json: {} }).json()]
    expect(store.getStore()).toBeUndefined()
    await Promise.all(answers)
  })

  it('checks a response with a Standard Schema, whose error passes through', async () => {
    const schema: StandardSchemaV1<unknown, { a: number }> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) =>
          (value as { a?: number }).a === 1 ? { value: { a: 1 } } : { issues: [{ message: 'no a' }] },
      },
    }
    respond = () => answer('{"a":1}')
    expect(await createClient().get('x').json(schema)).toEqual({ a: 1 })
    respond = () => answer('{"a":2}')
    expect(await rejection(createClient().get('x').json(schema))).toMatchObject({ name: 'SchemaValidationError' })
  })

  it('fails with the same error for its promise and for its body method', async () => {
    respond = async () => new Response('', { status: 404 })
    const call = createClient().get('x')
    const [ofPromise, ofBody] = await Promise.all([rejection(call), rejection(call.json())])
    expect(ofPromise).toBeInstanceOf(ServiceResponseError)
    expect(ofBody).toBe(ofPromise)
  })

  it('fails with the error of each body method', async () => {
    const refused: StandardSchemaV1 = {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'no' }] }) },
    }
    const call = createClient().get('x')
    expect(await rejection(call.json(refused))).toMatchObject({ name: 'SchemaValidationError' })
    expect(await rejection(call.text())).toMatchObject({
      message: 'ai: GET /x: 200, then an error: Body is unusable: Body has already been read',
    })
  })

  it("sends the service's headers, which a call's own win over", async () => {
    const ai = createClient({ headers: { 'x-team': 'a', 'x-other': 'b' } })
    await ai.get('x', { headers: { 'x-team': 'mine' } })
    await ai.fetch('x', { headers: { 'x-team': 'mine' } })
    for (const { headers } of sent) expect([headers.get('x-team'), headers.get('x-other')]).toEqual(['mine', 'b'])
    await ai.get('x', { headers: replaceOption({ 'X-Team': 'only' }) })
    expect([sent[2]?.headers.get('x-team'), sent[2]?.headers.has('x-other')]).toEqual(['only', false])
  })

  it('is extended by options, or by a function of its present options', async () => {
    const ai = createClient({ headers: { 'x-team': 'a' } })
    await ai.extend({ headers: { 'X-Other': 'b' } }).get('x')
    const prefix = (parent: { headers?: unknown }) => {
      const team = new Headers(parent.headers as Record<string, string>).get('x-team')
      return { headers: { 'x-team': `${team} of all`, 'x-other': 'b' } }
    }
    await ai.extend(prefix).get('x')
    await ai.extend(prefix).fetch('x')
    const teams = sent.map(({ headers }) => [headers.get('x-team'), headers.get('x-other')])
    expect(teams).toEqual([
      ['a', 'b'],
      ['a of all', 'b'],
      ['a of all', 'b'],
    ])
  })

  it('does not quote an invalid header value when it is extended', () => {
    const value = 'Bearer secret-token\nx'
    const extend = () => createClient().extend({ headers: [['authorization', value]] })
    expect(extend).toThrow(TypeError)
    expect(extend).toThrow(/the given text is an invalid header value/)
    expect(extend).not.toThrow(/secret-token/)
  })

  it('streams a response through, and cancels it where the reader stops', async () => {
    const cancelled = vi.fn()
    const chunks = ['one', 'two']
    respond = () =>
      answer(
        new ReadableStream({
          pull: (controller) => controller.enqueue(Buffer.from(chunks.shift() ?? 'more')),
          cancel: cancelled,
        }),
      )
    const response = await createClient().get('x')
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toMatch(/^one/)
    await reader.cancel('enough')
    expect(cancelled).toHaveBeenCalledOnce()
  })

  it('keeps the URL of the response', async () => {
    const gateway = await useGateway({ ai: { 'GET /x': { a: 1 } } })
    const { ai } = createServices({ services: ['ai'] })
    expect((await ai.get('x')).url).toBe(`${gateway.url}/ai/x`)
  })

  it('is retried with its own signature each time', async () => {
    vi.useFakeTimers({ now: Date.parse('2026-11-22T00:00:00Z') })
    respond = (count) => answer('{}', { status: count < 3 ? 503 : 200 })
    const done = createClient().get('x', { retry: { delay: () => 60_000, jitter: false } })
    // ky takes another turn of the timers for each retry.
    await vi.advanceTimersByTimeAsync(120_002)
    await done
    vi.useRealTimers()
    expectSigned(3)
    expect(sent.map(({ headers }) => headers.get('x-amz-date'))).toEqual([
      '20261122T000000Z',
      '20261122T000100Z',
      '20261122T000200Z',
    ])
    expect(new Set(sent.map(({ headers }) => headers.get('authorization'))).size).toBe(3)
  })

  it('of an optional service without a URL fails at its first call, not before', async () => {
    setEnv({ AI_SERVICE_API_URL: undefined })
    const { ai } = createServices({ services: { ai: { optional: true } }, credentials: IDENTITY, fetch: transport })
    expect(ai.url).toBe('')
    for (const call of [() => ai.get('').json(), () => ai.fetch('')]) {
      const error = (await rejection(call())) as Error
      expect(error).toBeInstanceOf(ServiceRequestError)
      expect(error.message).toContain('ai: GET /: AI_SERVICE_API_URL: API Gateway URL not set')
      expect(error.cause).toBeInstanceOf(ServicesConfigurationError)
      expect((error.cause as Error).message).toContain('AI_SERVICE_API_URL: API Gateway URL not set')
    }
  })
})

describe('a client sends to its own base and nowhere else:', () => {
  const outside: [string, string | URL | Request, RegExp][] = [
    [
      'an absolute URL as text',
      'https://evil.example/x',
      /GET \/: the input is an absolute URL, not a path below https:/,
    ],
    ['an absolute URL as text, even its own', `${BASE}/x`, /the input is an absolute URL, not a path/],
    [
      'a URL of another origin',
      new URL('https://evil.example/prod/x'),
      /https:\/\/evil\.example is not the origin of this service/,
    ],
    ['a Request of another origin', new Request('https://evil.example/prod/x'), /is not the origin of this service/],
    ['dot segments', '../admin', /GET \/\.\.\/admin: the path leaves the base URL/],
    ['dot segments behind slashes', '///../admin?key=/1', /GET \/\.\.\/admin: the path leaves/],
    ['encoded dot segments', '%2e%2e/admin?key=1', /GET \/%2e%2e\/admin: the path leaves/],
    ['dot segments behind encoded slashes', 'a/..%2f..%2fadmin', /the path leaves/],
    [
      'another stage that starts alike',
      new URL('https://id.execute-api.eu-central-1.amazonaws.com/production'),
      /the path leaves/,
    ],
    [
      'a URL with credentials',
      new URL('https://user:hunter2@id.execute-api.eu-central-1.amazonaws.com/prod/x'),
      /must not contain credentials/,
    ],
  ]

  it.each(outside)('%s', async (_, input, problem) => {
    const error = (await rejection(createClient().get(input).json())) as ServiceRequestError
    expect(error).toBeInstanceOf(ServiceRequestError)
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      service: 'ai',
      method: 'GET',
      attempts: 0,
      statusCode: 500,
    })
    expect(error.message).toMatch(problem)
    expect(error.message).not.toContain('hunter2')
    expect(sent).toEqual([])
  })

  it.each([
    ['no input', undefined],
    ['a number', 5],
    ['an object', { href: `${BASE}/x` }],
  ])('%s', async (_, input) => {
    expect(await rejection(createClient().get(input as never))).toMatchObject({
      message: 'ai: GET /: the input must be a path, a URL or a Request',
    })
  })

  it.each([
    ['fetch', { fetch: () => answer('evil') }],
    ['prefix', { prefix: 'https://evil.example' }],
    ['baseUrl', { baseUrl: 'https://evil.example' }],
    ['hooks', { hooks: replaceOption({}) }],
    ['undefined hooks', { hooks: { init: undefined, beforeRequest: undefined } }],
    [
      'an init hook',
      {
        hooks: {
          init: [
            (options: { fetch?: unknown; prefix?: string }) => {
              options.fetch = () => answer('evil')
              options.prefix = 'https://evil.example'
            },
          ],
        },
      },
    ],
  ])('per-call and extended option %s changes nothing of that', async (_, options) => {
    const ai = createClient()
    const given = options as never
    expect(await ai.get('x', given).text()).toBe('{}')
    expect(await ai.extend(given).get('x').text()).toBe('{}')
    expect(
      await ai
        .extend(() => given)
        .extend({})
        .get('x')
        .text(),
    ).toBe('{}')
    expectSigned(3)
  })

  it.each(['beforeRequest', 'beforeRetry'] as const)('a Request from a %s hook is held to the same', async (name) => {
    respond = () => answer('{}', { status: 503 })
    const hook = () => new Request('https://evil.example/prod/x')
    const error = await rejection(createClient().get('x', { hooks: { [name]: [hook] }, retry: { delay: () => 0 } }))
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: expect.stringContaining('https://evil.example is not the origin of this service'),
    })
    expectSigned(name === 'beforeRequest' ? 0 : 1)
  })

  it('has its own path where it is called itself', async () => {
    respond = () => answer('{}', { status: 404 })
    expect(await rejection(createClient().get(new URL(BASE)))).toMatchObject({ path: '/', status: 404 })
  })

  it('names the path that a hook has put in its place', async () => {
    const hooks = { beforeRequest: [() => new Request(BASE)] }
    respond = () => answer('{}', { status: 404 })
    expect(await rejection(createClient().get('x', { hooks }))).toMatchObject({ path: '/', status: 404 })
    expectSigned()
  })

  it('hooks see requests before they are signed', async () => {
    const seen: string[] = []
    const hook = ({ request }: { request: Request }) => {
      seen.push(...request.headers.keys())
    }
    respond = (count) => answer('{}', { status: count === 1 ? 503 : 200 })
    await createClient().get('x', {
      hooks: { beforeRequest: [hook], beforeRetry: [hook], afterResponse: [hook] },
      retry: { delay: () => 0 },
    })
    expect(seen).not.toContain('authorization')
    expect(seen).not.toContain('x-amz-security-token')
    expectSigned(2)
  })

  it('an authorization of the caller is refused', async () => {
    const error = await rejection(createClient().get('x', { headers: { authorization: 'hunter2' } }))
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: "ai: GET /x: the header 'authorization' must not be set: signing sets it",
    })
    expect(sent).toEqual([])
  })

  it('a body over 10 MB is refused', async () => {
    const error = await rejection(createClient().post('x', { body: new Uint8Array(10_485_761) }))
    expect(error).toMatchObject({ code: 'ERR_SERVICE_REQUEST', message: expect.stringContaining('10485761 bytes') })
    expect(sent).toEqual([])
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('a timeout of %d is refused', async (timeout) => {
    expect(await rejection(createClient().get('x', { timeout }))).toMatchObject({
      message: 'ai: GET /x: the timeout must be false or between 0 and 2147483647 ms',
    })
  })

  it("the error of ky for wrong options is the call's error", async () => {
    expect(
      await rejection(
        createClient()
          .get('x', { retry: { limit: -1 } })
          .json(),
      ),
    ).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: expect.stringContaining('retry.limit'),
      cause: expect.objectContaining({ name: 'TypeError' }),
    })
  })

  it('neither client nor services show credentials', async () => {
    const { inspect } = await import('node:util')
    const services = createServices({ services: { ai: BASE }, credentials: IDENTITY })
    const shown =
      inspect(services, { depth: 9, showHidden: true, getters: true }) +
      JSON.stringify(services) +
      inspect(services.ai, { showHidden: true, depth: 9 })
    for (const secret of Object.values(IDENTITY)) expect(shown).not.toContain(secret)
  })
})

describe('.fetch', () => {
  it.each(['x', '/x', `${BASE}/x`, new URL(`${BASE}/x`), new Request(`${BASE}/x`)])('takes %s', async (input) => {
    const response = await createClient().fetch(input)
    expect(response.status).toBe(200)
    expect(sent[0]?.url).toBe(`${BASE}/x`)
    expectSigned()
  })

  it('takes null as no options, like global fetch', async () => {
    expect((await createClient().fetch('x', null as never)).status).toBe(200)
  })

  it('resolves for every status and retries nothing', async () => {
    respond = () => answer('{"message":"busy"}', { status: 503 })
    const response = await createClient().fetch('x', { method: 'PUT', body: 'b' })
    expect([response.status, response.ok, await response.json()]).toEqual([503, false, { message: 'busy' }])
    expectSigned(1)
  })

  it.each([
    ['https://evil.example/x', /https:\/\/evil\.example is not the origin of this service/],
    ['../x', /the path leaves/],
    ['https://user:hunter2@id.execute-api.eu-central-1.amazonaws.com/prod/x', /must not contain credentials/],
    ['https://:', /the input is not a URL/],
  ])('refuses %s', async (input, problem) => {
    const error = (await rejection(createClient().fetch(input, { method: 'post' }))) as Error
    expect(error).toMatchObject({ code: 'ERR_SERVICE_REQUEST', method: 'POST' })
    expect(error.message).toMatch(problem)
    expect(error.message).not.toContain('hunter2')
    expect(await rejection(createClient().fetch(input))).toMatchObject({ method: 'GET' })
    expect(sent).toEqual([])
  })

  it("fails with the call's error for requests that fetch itself refuses", async () => {
    expect(await rejection(createClient().fetch('x', { method: 'GET', body: 'b' }))).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      cause: expect.objectContaining({ name: 'TypeError' }),
    })
  })
})

describe('the trace', () => {
  it('goes with every call, verbatim and unsigned', async () => {
    setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
    const ai = createClient()
    await ai.get('x')
    await ai.fetch('x')
    for (const { headers } of sent) {
      expect(headers.get('x-amzn-trace-id')).toBe(TRACE_ID)
      expect(headers.get('authorization')).not.toContain('x-amzn-trace-id')
    }
  })

  it("is that of the call's moment outside a handler, and the caller's own where there is one", async () => {
    const ai = createClient()
    setEnv({ _X_AMZN_TRACE_ID: 'Root=1-first' })
    await ai.get('x')
    setEnv({ _X_AMZN_TRACE_ID: 'Root=1-second' })
    await ai.get('x')
    await ai.get('x', { headers: { 'X-Amzn-Trace-Id': 'Root=1-mine' } })
    expect(sent.map(({ headers }) => headers.get('x-amzn-trace-id'))).toEqual([
      'Root=1-first',
      'Root=1-second',
      'Root=1-mine',
    ])
  })

  it('stays at home where it is switched off', async () => {
    setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
    const { ai } = createServices({ services: { ai: BASE }, credentials: IDENTITY, fetch: transport, trace: false })
    await ai.get('x')
    expect(sent[0]?.headers.has('x-amzn-trace-id')).toBe(false)
  })
})

it('a status that no standard knows is a response like any other', async () => {
  const server = createServer((_, response) => response.writeHead(999).end('odd')).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.close()
  })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { ai } = createServices({ services: { ai: url }, region: 'eu-central-1', credentials: IDENTITY })
  const response = await ai.fetch('x')
  const copy = response.clone()
  expect([response.status, response.ok, copy.status, copy.ok, await copy.text()]).toEqual([
    999,
    false,
    999,
    false,
    'odd',
  ])
  expect(await rejection(ai.get('x'))).toMatchObject({ code: 'ERR_SERVICE_RESPONSE', status: 999, data: 'odd' })
  // It is not awaited: it must not end the process.
  await ai.fetch('x')
  await new Promise((resolve) => setTimeout(resolve, 20))
})

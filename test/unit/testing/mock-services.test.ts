import middy from '@middy/core'
import mockContext from 'aws-lambda-mock-context'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest'
import { createServices, type ServicesContext, signedServices } from '../../../src/index.ts'
import {
  fail,
  type MockClient,
  type MockServices,
  mockEnv,
  mockServices,
  type RouteRequest,
  type Routes,
  reply,
} from '../../../src/testing/index.ts'
import { rejection, setEnv } from '../../support/helpers.ts'

const context = mockContext({ timeout: 3600 })

beforeEach(() => {
  // It shows the errors of routes that fail.
  vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(() => {
  vi.restoreAllMocks()
})

describe('mockServices', () => {
  it('responds by method and path', async () => {
    const { ai } = mockServices({
      ai: {
        'GET /jobs/:id': ({ params }) => ({ id: params.id }),
        'POST /jobs': async ({ json, searchParams, headers }) =>
          reply(201, { json, searchParams, team: headers['x-team'] }),
        'DELETE /jobs/:id': undefined,
        'HEAD /jobs/:id': { id: 'only for GET' },
        'GET /text': 'plain',
        'GET /bytes': new Uint8Array([1, 2]),
        'GET /': { root: true },
        'GET /not-modified': reply(304, 'no body may follow'),
        'GET /reset': reply(205, 'nor here'),
        'GET /view': new DataView(new Uint8Array([1, 2, 3]).buffer, 1),
        'GET /buffer': new Uint8Array([4, 5]).buffer,
        'GET /date': () => new Date(0),
        'GET /number': 5,
        'GET /yes': true,
        'GET /null': null,
        'GET /text-object': Object('x'),
        'GET /empty': reply(200),
        'GET /no-text': '',
      },
    })
    expect(await ai.get('jobs/a%2Fb').json()).toEqual({ id: 'a/b' })
    const created = await ai.post('jobs?a=1', { json: { topic: 'ü' }, headers: { 'X-Team': 't' } })
    expect([created.status, await created.json()]).toEqual([
      201,
      { json: { topic: 'ü' }, searchParams: { a: '1' }, team: 't' },
    ])
    expect([(await ai.delete('jobs/1')).status, await ai.delete('jobs/1').json()]).toEqual([204, undefined])
    expect(await ai.head('jobs/1').text()).toBe('')
    expect(await ai.get('text').text()).toBe('plain')
    expect([...(await ai.get('bytes').bytes())]).toEqual([1, 2])
    expect(await ai.get('').json()).toEqual({ root: true })
    expect((await ai.fetch('/not-modified')).status).toBe(304)
    expect((await ai.fetch('/reset')).status).toBe(205)
    expect([...(await ai.get('view').bytes()), ...(await ai.get('buffer').bytes())]).toEqual([2, 3, 4, 5])
    expect(await ai.get('date').json()).toBe('1970-01-01T00:00:00.000Z')
    expect([await ai.get('number').json(), await ai.get('yes').json(), await ai.get('null').json()]).toEqual([
      5,
      true,
      null,
    ])
    expect(await ai.get('text-object').json()).toBe('x')
    expect([(await ai.fetch('empty')).body, (await ai.fetch('no-text')).body]).toEqual([null, null])
    expect((await ai.get('text?a=1')).url).toBe('https://mocked.invalid/ai/text?a=1')
    expect((await ai.fetch(`${ai.url}/jobs/7`)).ok).toBe(true)
  })

  it('records requests without the headers of the signature', async () => {
    const { userProfile, ai } = mockServices({
      userProfile: { 'PUT /u/:id': {}, 'POST /bytes': {} },
      ai: { 'GET /x': {} },
    })
    await userProfile.put('/u/a%20b?page=1&page=2', { json: { n: 1 } })
    await userProfile.extend({ headers: { 'X-Team': 't' } }).post('bytes', { body: new Uint8Array([255]) })
    await ai.get('x').text()
    expect(userProfile.calls).toEqual([
      {
        method: 'PUT',
        path: '/u/a b',
        searchParams: { page: '2' },
        json: { n: 1 },
        headers: { 'content-type': 'application/json' },
      },
      { method: 'POST', path: '/bytes', searchParams: {}, json: undefined, headers: { 'x-team': 't' } },
    ])
    expect(ai.calls).toEqual([{ method: 'GET', path: '/x', searchParams: {}, headers: { accept: 'text/*' } }])
    expect(mockServices({ ai: { 'GET /x': {} } }).ai.calls).toEqual([])
  })

  it('fails a request that matches no route, lists the defined routes, and is not retried', async () => {
    const { ai, admin } = mockServices({ ai: { 'GET /jobs/:id': {}, 'POST /jobs': {} }, admin: {} })
    const error = await rejection(ai.get('jobs', { searchParams: { q: 'private' } }).json())
    expect(error).toMatchObject({ code: 'ERR_SERVICE_REQUEST', service: 'ai', path: '/jobs', attempts: 0 })
    expect((error as Error).message).toBe(
      "ai: GET /jobs: mockServices has no such route of 'ai', only 'GET /jobs/:id', 'POST /jobs'",
    )
    expect(ai.calls).toHaveLength(1)
    expect(((await rejection(admin.fetch('x'))) as Error).message).toBe(
      "admin: GET /x: mockServices has no such route of 'admin', and no other route",
    )
  })

  it('refuses routes that it cannot read, before any test uses them', () => {
    const ai: Routes = { 'get jobs': {} }
    expect(() => mockServices({ ai })).toThrow(
      new TypeError("Route 'get jobs' of service 'ai' must be like 'GET /jobs/:id'"),
    )
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('expected 1 to be 2')
      },
      'expected 1 to be 2',
    ],
    ['answers what is no JSON', () => ({ big: 1n }), /BigInt/],
    ['answers with a status that is none', () => reply(99), 'a status must be a whole number from 200 to 999, not 99'],
    ['answers with a status that fetch does not know', () => reply(700), /status/],
    [
      'answers with a Response',
      () => Response.json({}, { status: 403 }),
      /^a route cannot respond with Response: use JSON data, text, bytes, a stream, or reply\(status, body, headers\)$/,
    ],
    ['answers with an Error', () => new Error('x'), /^a route cannot respond with Error/],
    ['answers with a Map', () => reply(200, new Map()), /^a route cannot respond with Map/],
    [
      'answers with a promise within a reply',
      () => reply(200, Promise.resolve({})),
      /^a route cannot respond with Promise/,
    ],
    ['answers with a function', () => () => {}, /^a route cannot respond with Function/],
  ])("says so when a route's function %s", async (_, route, message) => {
    const { ai } = mockServices({ ai: { 'GET /x': route } })
    const error = (await rejection(ai.get('x').json())) as Error & { cause: Error }
    expect(error).toMatchObject({ code: 'ERR_SERVICE_REQUEST', attempts: 0 })
    expect(error.message).toBe(`ai: GET /x: the route 'GET /x' of mockServices failed: ${error.cause.message}`)
    expect(error.cause.message).toMatch(message)
    expect(ai.calls).toHaveLength(1)
  })

  it.each([[undefined], ['a text'], [null]])("says so when a route's function throws %s", async (thrown) => {
    const { ai } = mockServices({ ai: { 'GET /x': () => Promise.reject(thrown) } })
    expect(await rejection(ai.get('x').json())).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: `ai: GET /x: the route 'GET /x' of mockServices failed: ${thrown}`,
    })
  })

  it('protects its log from changes that routes make to their request', async () => {
    const { ai } = mockServices({
      ai: {
        'POST /x': (request) => {
          Object.assign(request.json as object, { added: 1 })
          Object.assign(request.searchParams, { added: 1 })
        },
      },
    })
    await ai.post('x', { json: {} })
    expect(ai.calls).toMatchObject([{ json: {}, searchParams: {} }])
    expect(JSON.stringify(ai.calls)).not.toContain('added')
  })

  it('has no quota of retries that one test could leave less of for the next', async () => {
    const { ai } = mockServices({ ai: { 'GET /x': fail('network') } })
    for (let count = 0; count < 40; count += 1) {
      expect(await rejection(ai.get('x', { retry: 2 }).json())).toMatchObject({ attempts: 3 })
    }
  })

  it('fails as the real services do', async () => {
    const forbidden = reply(
      403,
      {
        Message:
          'User: arn:aws:sts::1:assumed-role/r/f is not authorized to perform: execute-api:Invoke on resource: arn',
      },
      { 'x-amzn-errortype': 'AccessDeniedException' },
    )
    const { ai } = mockServices({
      ai: {
        'GET /denied': forbidden,
        'GET /html': '<html>',
        'GET /throttled': reply(429, {}, { 'retry-after': '90' }),
      },
    })
    expect(await rejection(ai.get('denied').json())).toMatchObject({
      code: 'ERR_SERVICE_AUTH',
      reason: 'access-denied',
      hint: expect.stringContaining('execute-api:Invoke'),
    })
    expect(await rejection(ai.get('html').json())).toMatchObject({ code: 'ERR_SERVICE_RESPONSE', data: '<html>' })
    expect(await rejection(ai.get('throttled').json())).toMatchObject({ retryAfterMs: 90_000, attempts: 1 })
    expect(await rejection(ai.get('x', { headers: { authorization: 'Bearer t' } }).json())).toMatchObject({
      message: "ai: GET /x: the header 'authorization' must not be set: signing sets it",
    })
  })

  it("lets calls time out at once, with the client's own bound, and retries none of them unasked", async () => {
    const { ai } = mockServices({ ai: { 'GET /x': fail('timeout'), 'GET /later': () => fail('timeout') } })
    expect(await rejection(ai.get('x', { timeout: 1234 }).json())).toMatchObject({
      code: 'ERR_SERVICE_TIMEOUT',
      timeoutMs: 1234,
      deadline: false,
      attempts: 1,
      message: 'ai: GET /x: no complete response: mockServices simulated a timeout',
    })
    expect(await rejection(ai.fetch('later'))).toMatchObject({ timeoutMs: 30_000 })
    expect(await rejection(ai.get('x', { timeout: false }))).toMatchObject({ timeoutMs: 0 })
    expect(await rejection(ai.get('x', { retry: { limit: 1, retryOnTimeout: true } }))).toMatchObject({ attempts: 2 })
    expect(ai.calls).toHaveLength(5)
  })

  it('breaks connections, and retries safe requests without waiting', async () => {
    let count = 0
    const { ai } = mockServices({
      ai: {
        'GET /broken': fail('network'),
        'POST /broken': fail('network'),
        'PUT /once': () => (count++ === 0 ? fail('network') : { count }),
        'GET /busy': reply(503),
      },
    })
    const ends = await Promise.all([
      rejection(ai.get('broken').json()),
      rejection(ai.post('broken').json()),
      ai.put('once').json(),
      rejection(ai.get('busy', { retry: 1 }).json()),
    ])
    expect(ends).toMatchObject([
      {
        code: 'ERR_SERVICE_NETWORK',
        networkCode: 'ECONNRESET',
        attempts: 3,
        cause: { message: 'mockServices simulated a broken connection' },
      },
      { code: 'ERR_SERVICE_NETWORK', attempts: 1 },
      { count: 2 },
      { status: 503, attempts: 2 },
    ])
    expect(
      ai.calls
        .filter(({ path }) => path === '/broken')
        .map(({ method }) => method)
        .sort(),
    ).toEqual(['GET', 'GET', 'GET', 'POST'])
  })

  it('passes through Middy unchanged; missing names are real clients', async () => {
    setEnv(mockEnv())
    const handler = middy()
      .use(signedServices())
      .handler(async (_, { services }) => [services, await services.ai.get('x').json()] as const)
    const services = mockServices({ ai: { 'GET /x': { mocked: true } } })
    const given = { ...context, services } as unknown as ServicesContext
    const [attached, answer] = await handler({}, given)
    expect(answer).toEqual({ mocked: true })
    expect(attached.ai).toBe(services.ai)
    expect(attached.admin.url).toBe('https://mocked.invalid/admin')
    expect(Object.keys(services)).toEqual(['ai'])
  })

  it('is typed by its routes', () => {
    const typed = () => {
      const services = mockServices({
        ai: {
          'GET /a/:one/b/:two': ({ params }) =>
            expectTypeOf(params).toEqualTypeOf<Readonly<Record<'one' | 'two', string>>>(),
        },
        integration: {},
      })
      expectTypeOf(services).toEqualTypeOf<{ readonly ai: MockClient; readonly integration: MockClient }>()
      // @ts-expect-error: no such param
      mockServices({ ai: { 'GET /a/:one': ({ params }) => params.other } })
      // @ts-expect-error: not that of the route
      mockServices({ ai: { 'GET /a/:one': ({ params }: RouteRequest<'two'>) => params.two } })
      // @ts-expect-error: not a function of a request
      mockServices({ ai: { 'GET /a': (n: number) => n } })
      // @ts-expect-error: not a response
      mockServices({ ai: { 'GET /a': Symbol() } })
      // @ts-expect-error: only a function can give a promise
      mockServices({ ai: { 'GET /a': Promise.resolve({}) } })
      // @ts-expect-error: no method
      mockServices({ ai: { '/a': {} } })
      // @ts-expect-error: a method in lower case
      mockServices({ ai: { 'get /a': {} } })
      // @ts-expect-error: no service
      mockServices({ 'GET /a': { a: 1 } })
      interface Job {
        readonly id: string
      }
      const job: Job = { id: '1' }
      const sound = {
        'GET /interface': job,
        'GET /instance': new Date(),
        'GET /list': [job],
        'GET /bytes': new Uint8Array(),
        'GET /reply': reply(200, job),
        'GET /promise': async () => job,
        'GET /mock': vi.fn(() => job),
      }
      mockServices({ ai: sound })
      expectTypeOf<MockServices<'ai' | 'integration'>>().toEqualTypeOf(services)
      const routes: Record<string, Routes> = {}
      expectTypeOf(mockServices(routes)).toEqualTypeOf<{ readonly [name: string]: MockClient }>()
      const handler = async (_event: object, _context: ServicesContext<'ai' | 'integration'>) => {}
      handler({}, { ...context, services })
      // @ts-expect-error: a service is missing
      handler({}, { ...context, services: mockServices({ ai: {} }) })
    }
    expect(typed).toBeTypeOf('function')
  })
})

describe('mockEnv', () => {
  const common = {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'AKIAMOCKED',
    AWS_SECRET_ACCESS_KEY: 'mocked',
    AWS_SESSION_TOKEN: 'mocked',
  }

  it('names the variables that the middleware reads', () => {
    expect(mockEnv()).toEqual({
      AI_SERVICE_API_URL: 'https://mocked.invalid/ai',
      INTEGRATION_SERVICE_API_URL: 'https://mocked.invalid/integration',
      BACKGROUND_SERVICE_API_URL: 'https://mocked.invalid/background',
      ADMIN_SERVICE_API_URL: 'https://mocked.invalid/admin',
      ...common,
    })
    expect(mockEnv(['userProfile'])).toEqual({
      USER_PROFILE_SERVICE_API_URL: 'https://mocked.invalid/userProfile',
      ...common,
    })
    const own = {
      ai: {},
      search: { env: 'SEARCH_URL' },
      fixed: 'https://fixed.example',
      known: { url: 'https://known.example' },
      late: { internal: 'lateUrl' },
    }
    expect(Object.keys(mockEnv(own))).toEqual(['AI_SERVICE_API_URL', 'SEARCH_URL', ...Object.keys(common)])
  })

  it('is enough for a cold start, which stays an error without it', () => {
    setEnv({ AWS_REGION: undefined, AI_SERVICE_API_URL: undefined })
    expect(() => createServices({ services: ['ai'] })).toThrow('AI_SERVICE_API_URL: API Gateway URL not set')
    setEnv(mockEnv(['ai']))
    expect(createServices({ services: ['ai'] }).ai.name).toBe('ai')
  })
})

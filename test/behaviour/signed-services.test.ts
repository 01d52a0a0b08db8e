import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import mockContext from 'aws-lambda-mock-context'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest'
import signedServices, {
  createServices,
  signedServices as named,
  type ServiceClient,
  ServicesConfigurationError,
  type ServicesContext,
} from '../../src/index.ts'
import { answer, IDENTITY, rejection, setEnv, TRACE_ID, useGateway } from '../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const OPTIONS = { services: ['ai'], credentials: IDENTITY } as const

/** Long enough that the mock's own timer stays out of a test. */
const lambdaContext = (extra: object = {}) =>
  ({ ...mockContext({ timeout: 3600 }), ...extra }) as unknown as ServicesContext

let traces: (string | null)[]
const transport: typeof fetch = async (_, init) => {
  traces.push(new Headers(init?.headers).get('x-amzn-trace-id'))
  return answer()
}
beforeEach(() => {
  traces = []
  setEnv({
    AI_SERVICE_API_URL: `${BASE}/ai`,
    INTEGRATION_SERVICE_API_URL: `${BASE}/integration`,
    _X_AMZN_TRACE_ID: undefined,
  })
})
afterEach(() => {
  vi.unstubAllGlobals()
})

describe('signedServices', () => {
  it('is the default export and a named one', () => {
    expect(signedServices).toBe(named)
  })

  it('puts the four services on the context of a handler behind Middy', async () => {
    const gateway = await useGateway({
      ai: { 'POST /generate/social-post': ({ json }) => ({ jobId: 'j-1', got: json }) },
      integration: { 'POST /publish/blog': { success: true } },
      background: {
        'GET /jobs': ({ searchParams }) => searchParams,
        'PATCH /jobs/:id': ({ body }) => ({ bytes: body.length }),
      },
      admin: { 'PUT /users/:id': { ok: true }, 'DELETE /users/:id': undefined },
    })
    setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
    const handler = middy<{ topic: string }>()
      .use(signedServices())
      .handler(async (event, { services: { ai, integration, background, admin } }) => [
        await ai.post('generate/social-post', { json: event }).json(),
        await integration.post('/publish/blog', { json: { platforms: ['facebook'] } }).json(),
        await background.get('jobs', { searchParams: { q: "it's (a) *test*!", page: 2 } }).json(),
        await background.patch('jobs/1', { body: new Uint8Array([0, 255, 1]) }).json(),
        await admin.put('users/1', { json: {} }).json(),
        await admin.delete('users/1').json(),
      ])
    expect(await handler({ topic: 't' }, lambdaContext())).toEqual([
      { jobId: 'j-1', got: { topic: 't' } },
      { success: true },
      { q: "it's (a) *test*!", page: '2' },
      { bytes: 3 },
      { ok: true },
      undefined,
    ])
    expect(gateway.requests.map(({ signature, headers }) => [signature.verified, headers['x-amzn-trace-id']])).toEqual(
      Array.from({ length: 6 }, () => [true, TRACE_ID]),
    )
  })

  it('throws at cold start, and its before hook returns nothing', () => {
    setEnv({ AI_SERVICE_API_URL: undefined })
    expect(() => signedServices(OPTIONS)).toThrow(ServicesConfigurationError)
    expect(() => signedServices({ servcies: [] } as object)).toThrow('servcies: no such option of signedServices')
    setEnv({ AI_SERVICE_API_URL: BASE })
    const { before } = signedServices(OPTIONS)
    expect(before?.name).toBe('signedServicesBefore')
    expect(before?.({ context: {} } as never)).toBeUndefined()
  })

  it('makes clients once an invocation', async () => {
    const seen: ServiceClient[] = []
    const handler = middy()
      .use(signedServices(OPTIONS))
      .handler(async (_, { services }) => {
        expect(services.ai).toBe(services.ai)
        seen.push(services.ai)
      })
    await handler({}, lambdaContext())
    await handler({}, lambdaContext())
    expect(seen[0]).not.toBe(seen[1])
  })

  it('keeps names that are there, and adds the missing ones to its own object', async () => {
    class Mocks {
      readonly ai = { post: vi.fn() }
      readonly shared = () => 'method'
    }
    const services = new Mocks()
    const handler = middy()
      .use(signedServices({ ...OPTIONS, services: ['ai', 'integration'] }))
      .handler(async (_, context) => context.services)
    const result = (await handler({}, lambdaContext({ services }))) as unknown as Mocks & Record<string, ServiceClient>
    expect(result.ai).toBe(services.ai)
    expect(result.integration?.name).toBe('integration')
    expect(result.shared()).toBe('method')
    expect(Object.keys(services)).toEqual(['ai', 'shared'])
  })

  it('makes its own clients if a context holds those of another middleware from an earlier invocation', async () => {
    const context = lambdaContext()
    const answerOf = async (body: string) => {
      const handler = middy()
        .use(signedServices({ ...OPTIONS, fetch: () => answer(body) }))
        .handler(async (_, { services }) => services.ai.get('x').text())
      return handler({}, context)
    }
    expect([await answerOf('one'), await answerOf('two')]).toEqual(['one', 'two'])
  })

  it('keeps names that are inherited, or made up when they are asked for', async () => {
    const fake = { get: vi.fn() }
    class Fakes {
      readonly #ai = fake
      get ai() {
        return this.#ai
      }
    }
    const made = new Proxy({}, { get: (_, name) => (name === 'ai' ? fake : undefined) })
    for (const services of [new Fakes(), Object.create({ ai: fake }), made]) {
      const handler = middy()
        .use(signedServices({ ...OPTIONS, services: ['ai', 'integration'] }))
        .handler(async (_, context) => context.services)
      const context = lambdaContext({ services })
      for (let time = 0; time < 2; time += 1) {
        const result = await handler({}, context)
        expect(result.ai).toBe(fake)
        expect(result.integration.name).toBe('integration')
      }
    }
  })

  it('leaves an invocation alone that ended before it began', async () => {
    const error = new Error('mine')
    const handler = middy()
      .use({
        before: () => {
          throw error
        },
      })
      .use(signedServices(OPTIONS))
      .handler(async () => 'never')
    expect(await rejection(handler({}, lambdaContext()))).toBe(error)
    expect(signedServices(OPTIONS).after?.({ context: lambdaContext() } as never)).toBeUndefined()
  })

  it('merges with another one', async () => {
    const handler = middy()
      .use(signedServices(OPTIONS))
      .use(signedServices({ ...OPTIONS, services: { integration: `${BASE}/integration` } }))
      .handler(async (_, { services }) => Object.values(services).map(({ name, url }) => [name, url]))
    const expected = [
      ['ai', `${BASE}/ai`],
      ['integration', `${BASE}/integration`],
    ]
    const context = lambdaContext()
    expect((await handler({}, context)).toSorted()).toEqual(expected)
    expect((await handler({}, context)).toSorted()).toEqual(expected)
  })

  it('does not let `extend` change another invocation by changing the options that it is given', async () => {
    const seen: object[] = []
    const handler = middy()
      .use(signedServices({ ...OPTIONS, retry: { limit: 1, methods: ['get'] }, headers: { 'x-a': '1' } }))
      .handler((_, { services }) => {
        services.ai.extend((parent) => {
          seen.push(structuredClone(parent))
          Object.assign(parent, { timeout: 1, json: 'mine' })
          Object.assign(parent.headers as object, { 'x-user': 'mine' })
          ;(parent.retry as { methods: string[] }).methods.push('put')
          return parent
        })
      })
    await handler({}, lambdaContext())
    await handler({}, lambdaContext())
    expect(seen[1]).toEqual(seen[0])
  })

  it('works on a durable context, by way of the Lambda context that it wraps', async () => {
    const middleware = signedServices({ ...OPTIONS, fetch: transport })
    const begin = (remaining: number) => {
      const lambdaContext = { xRayTraceId: 'Root=1-durable', getRemainingTimeInMillis: () => remaining }
      const context = { lambdaContext } as never as ServicesContext<['ai']>
      middleware.before?.({ context } as never)
      return context.services.ai.get('x')
    }
    await begin(10_000)
    expect(await rejection(begin(100))).toMatchObject({ name: 'ServiceTimeoutError', deadline: true })
    expect(traces).toEqual(['Root=1-durable'])
  })
})

describe('the trace of an invocation', () => {
  const gate = () => {
    let open = () => {}
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    return { open, opened }
  }
  const interleaved = (read: (id: string) => object) => async () => {
    const gates = { a: gate(), b: gate() }
    const handler = middy<{ id: 'a' | 'b' }>()
      .use(signedServices({ ...OPTIONS, fetch: transport }))
      .handler(async ({ id }, { services: { ai } }) => {
        await gates[id].opened
        await ai.get('first')
        await ai.fetch('second')
        return id
      })
    const start = (id: 'a' | 'b') => handler({ id }, lambdaContext(read(id)))
    const a = start('a')
    await new Promise((resolve) => setTimeout(resolve, 5))
    const b = start('b')
    await new Promise((resolve) => setTimeout(resolve, 5))
    setEnv({ _X_AMZN_TRACE_ID: 'Root=1-of-a-third' })
    gates.b.open()
    await b
    gates.a.open()
    await a
    expect(traces).toEqual(['Root=1-b', 'Root=1-b', 'Root=1-a', 'Root=1-a'])
  }

  it(
    'is never that of another, where the contexts hold it',
    interleaved((id) => ({ xRayTraceId: `Root=1-${id}` })),
  )

  it(
    'is never that of another, where the environment holds it',
    interleaved((id) => {
      setEnv({ _X_AMZN_TRACE_ID: `Root=1-${id}` })
      return {}
    }),
  )

  it(
    'is never that of another, where the invoke store holds it',
    interleaved((id) => {
      vi.stubGlobal('awslambda', { InvokeStore: { getXRayTraceId: () => `Root=1-${id}` } })
      return {}
    }),
  )

  it('is that of the moment it began, however late its first client is touched', async () => {
    const { before } = signedServices({ ...OPTIONS, fetch: transport })
    const contexts = ['Root=1-a', 'Root=1-b'].map((trace) => {
      setEnv({ _X_AMZN_TRACE_ID: trace })
      const context = lambdaContext()
      before?.({ context } as never)
      return context
    })
    for (const { services } of contexts) await services.ai.get('x')
    expect(traces).toEqual(['Root=1-a', 'Root=1-b'])
  })

  it('is that of the invocation, where a context is used again', async () => {
    const handler = middy()
      .use(signedServices({ ...OPTIONS, fetch: transport }))
      .handler(async (_, { services }) => services.ai.get('x').text())
    const context = lambdaContext({ xRayTraceId: 'Root=1-one' })
    await handler({}, context)
    Object.assign(context, { xRayTraceId: 'Root=1-two' })
    await handler({}, context)
    expect(traces).toEqual(['Root=1-one', 'Root=1-two'])
  })

  it('stays at home where it is switched off', async () => {
    const handler = middy()
      .use(signedServices({ ...OPTIONS, fetch: transport, trace: false }))
      .handler(async (_, { services }) => services.ai.get('x').text())
    await handler({}, lambdaContext({ xRayTraceId: 'Root=1-one' }))
    expect(traces).toEqual([null])
  })
})

describe("the invocation's deadline", () => {
  const hang: typeof fetch = (_, init) =>
    new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
  const inTime = (ms: number) => {
    const end = Date.now() + ms
    return lambdaContext({ getRemainingTimeInMillis: () => end - Date.now() })
  }
  const call = (fetch: typeof globalThis.fetch, run: (ai: ServiceClient) => Promise<unknown>, margin = 0) =>
    middy({ timeoutEarlyInMillis: 0 })
      .use(signedServices({ ...OPTIONS, fetch, deadlineMargin: margin }))
      .handler(async (_, { services }) => rejection(run(services.ai)))

  it.each([
    ['a call', (ai: ServiceClient) => ai.get('x').json()],
    ['.fetch', (ai: ServiceClient) => ai.fetch('x')],
    ['a call without a timeout', (ai: ServiceClient) => ai.get('x', { timeout: false })],
    ['a call with a longer timeout', (ai: ServiceClient) => ai.get('x', { timeout: 60_000, totalTimeout: 60_000 })],
  ])('ends %s', async (_, run) => {
    const error = (await call(hang, run)({}, inTime(50))) as Error & { timeoutMs: number }
    expect(error).toMatchObject({ name: 'ServiceTimeoutError', deadline: true, attempts: 1, statusCode: 504 })
    expect(error.timeoutMs).toBeLessThanOrEqual(50)
    expect(error.message).toMatch(/no complete response within the \d+ ms left before the invocation's deadline$/)
  })

  it('makes a retry that cannot be waited for an error at once', async () => {
    const busy: typeof fetch = () => answer('{}', { status: 503 })
    const run = (ai: ServiceClient) => ai.get('x', { retry: { delay: () => 60_000, jitter: false } })
    expect(await call(busy, run)({}, inTime(1000))).toMatchObject({
      code: 'ERR_SERVICE_RESPONSE',
      status: 503,
      attempts: 1,
    })
  })

  it('ends a body', async () => {
    const half: typeof fetch = (_, init) =>
      answer(
        new ReadableStream({
          start: (controller) => init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason)),
        }),
      )
    expect(await call(half, (ai) => ai.get('x').text())({}, inTime(50))).toMatchObject({
      name: 'ServiceTimeoutError',
      deadline: true,
    })
  })

  it('keeps the margin back, and lets nothing be sent without time left', async () => {
    const fetch = vi.fn<typeof globalThis.fetch>()
    const fixed = lambdaContext({ getRemainingTimeInMillis: () => 100 })
    const error = await call(fetch, (ai) => ai.get('x').json(), 100)({}, fixed)
    expect(error).toMatchObject({ name: 'ServiceTimeoutError', deadline: true, attempts: 0, timeoutMs: 0 })
    expect((error as Error).message).toBe("ai: GET /x: not sent, no time left before the invocation's deadline")
    expect(fetch).not.toHaveBeenCalled()
  })

  it("gives way to the caller's own signal", async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort('mine'), 10)
    expect(await call(hang, (ai) => ai.get('x', { signal: controller.signal }))({}, inTime(1000))).toBe('mine')
  })

  it('holds for a streamed response that flows after the handler has ended, and leaves no timer behind it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const end = Date.now() + 300
    const stream: typeof fetch = () =>
      answer(new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('a')) }))
    const handler = middy({ timeoutEarlyInMillis: 0 })
      .use(signedServices({ ...OPTIONS, fetch: stream, deadlineMargin: 0 }))
      .handler(async (_, { services }) => (await services.ai.get('x')).body)
    const context = lambdaContext({ getRemainingTimeInMillis: () => end - Date.now() })
    const others = vi.getTimerCount()
    const body = (await handler({}, context)) as ReadableStream
    const reader = body.getReader()
    await reader.read()
    expect(vi.getTimerCount()).toBe(others + 2)
    const ended = rejection(reader.read())
    await vi.advanceTimersByTimeAsync(300)
    expect(await ended).toMatchObject({ name: 'ServiceTimeoutError', deadline: true })
    expect(vi.getTimerCount()).toBe(others)
    vi.useRealTimers()
  })

  it('leaves no timer between calls, nor after them', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { before } = signedServices({ ...OPTIONS, fetch: transport })
    const context = { getRemainingTimeInMillis: () => 1000 } as unknown as ServicesContext<['ai']>
    before?.({ context } as never)
    await context.services.ai.get('x').text()
    await (await context.services.ai.fetch('x')).text()
    await rejection(context.services.ai.get('../x'))
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })

  it('is one timer for each call that is in flight', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { before: begin } = signedServices({ ...OPTIONS, fetch: hang, deadlineMargin: 0 })
    const context = { getRemainingTimeInMillis: () => 1000 } as unknown as ServicesContext<['ai']>
    begin?.({ context } as never)
    const calls = ['x', 'y'].map((path) => rejection(context.services.ai.get(path, { timeout: false })))
    expect(vi.getTimerCount()).toBe(2)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await Promise.all(calls)).toMatchObject([{ deadline: true }, { deadline: true }])
    vi.useRealTimers()
  })

  it('is read from the context that it belongs to, and absent if the context gives no number', async () => {
    class Clock {
      end = Date.now() + 100
      getRemainingTimeInMillis() {
        return this.end - Date.now()
      }
    }
    expect(await call(hang, (ai) => ai.get('x'))({}, new Clock() as never)).toMatchObject({ deadline: true })
    const mocked = lambdaContext({ getRemainingTimeInMillis: vi.fn() })
    const handler = middy({ timeoutEarlyInMillis: 0 })
      .use(signedServices({ ...OPTIONS, fetch: transport }))
      .handler(async (_, { services }) => services.ai.get('x').text())
    expect(await handler({}, mocked)).toBe('{}')
  })
})

describe('types', () => {
  it('follow the services option', () => {
    const setUp = () => {
      middy()
        .use(signedServices())
        .handler(async (_, { services }) => {
          expectTypeOf(services).toEqualTypeOf<{
            readonly ai: ServiceClient
            readonly integration: ServiceClient
            readonly background: ServiceClient
            readonly admin: ServiceClient
          }>()
        })
      middy()
        .use(signedServices({ services: ['ai', 'userProfile'] }))
        .handler(async (_, { services }) => {
          expectTypeOf(services).toEqualTypeOf<{ readonly ai: ServiceClient; readonly userProfile: ServiceClient }>()
          // @ts-expect-error: not named
          services.integration
        })
      middy()
        .use(signedServices({ services: { ai: BASE, other: { timeout: 1 } } }))
        .handler(async (_, { services }) => {
          expectTypeOf(services).toEqualTypeOf<{ readonly ai: ServiceClient; readonly other: ServiceClient }>()
        })
      const names = ['ai', 'admin'] as const
      expectTypeOf(createServices({ services: names })).toEqualTypeOf<{
        readonly ai: ServiceClient
        readonly admin: ServiceClient
      }>()
      const unknownNames: string[] = []
      expectTypeOf(createServices({ services: unknownNames })).toEqualTypeOf<{
        readonly [name: string]: ServiceClient
      }>()
      expectTypeOf(createServices({ timeout: 1 })).toHaveProperty('background')
    }
    expect(setUp).toBeTypeOf('function')
  })

  it("do not change the handler's event and Lambda's context", () => {
    const handler = middy<{ userId: string }, { done: boolean }>()
      .use(signedServices(OPTIONS))
      .handler(async (event, context) => {
        expectTypeOf(event).toEqualTypeOf<{ userId: string }>()
        expectTypeOf(context).toExtend<Context>()
        return { done: true }
      })
    expectTypeOf(handler).parameter(0).toEqualTypeOf<{ userId: string }>()
  })

  it('have a name for handlers declared apart', async () => {
    const apart = async (_: unknown, { services: { ai }, awsRequestId }: ServicesContext<'ai'>) =>
      `${ai.name} ${awsRequestId}`
    expectTypeOf<ServicesContext<'ai'>>().toEqualTypeOf<ServicesContext<['ai']>>()
    expectTypeOf<ServicesContext>().toHaveProperty('services').toHaveProperty('admin')
    const handler = middy().use(signedServices(OPTIONS)).handler(apart)
    expect(await handler({}, lambdaContext({ awsRequestId: 'r' }))).toBe('ai r')
  })

  it('are those of ky for calls', () => {
    const typed = (ai: ServiceClient) => {
      expectTypeOf(ai.post('x').json<{ a: 1 }>()).resolves.toEqualTypeOf<{ a: 1 }>()
      expectTypeOf(ai<{ b: 1 }>('x').json()).resolves.toEqualTypeOf<{ b: 1 }>()
      expectTypeOf(ai.fetch).toEqualTypeOf<typeof fetch>()
      // @ts-expect-error: there is no way to another base
      ai.get('x', { prefix: 'https://evil.example' })
      // @ts-expect-error: nor to another fetch
      ai.extend({ fetch })
    }
    expect(typed).toBeTypeOf('function')
  })
})

/**
 * The middleware in each of Middy's modes and ways to end. Runs against the sources with Middy 7 as every other test, and
 * by `npm run test:middy` in its own project that has the packed package, once with Middy 6 and once with 7.
 */
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { PassThrough, type Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import middy from '@middy/core'
import type { Context } from 'aws-lambda'
import signedServices, { type ServiceClient, type ServicesContext } from 'middy-signed-services'
import { type LocalGateway, startLocalGateway } from 'middy-signed-services/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

type Services = ServicesContext<'ai'>

const { version } = JSON.parse(readFileSync(findPackageJSON('@middy/core', import.meta.url) as string, 'utf8'))
const major = Number.parseInt(version, 10)

const ROUTES = {
  'GET /jobs/:id': ({ params }: { params: { id: string } }) => params,
  'POST /jobs': ({ json }: { json: unknown }) => ({ created: json }),
  'GET /text': 'a'.repeat(100_000),
}

let gateway: LocalGateway
beforeEach(async () => {
  gateway = await startLocalGateway({ services: { ai: ROUTES } })
  for (const [name, value] of Object.entries(gateway.env)) vi.stubEnv(name, value)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await gateway.close()
})

/** An invocation's own context, as much of it as Middy and the middleware look at. */
function lambdaContext(ms = 10_000): Services {
  const end = Date.now() + ms
  const id = String(Math.random()).slice(2)
  return {
    awsRequestId: id,
    xRayTraceId: `Root=1-67f1a2b3-${id.padEnd(24, '0').slice(0, 24)};Sampled=1`,
    getRemainingTimeInMillis: () => end - Date.now(),
  } as unknown as Services
}

const failure = (promise: Promise<unknown>): Promise<Error & { cause?: unknown }> =>
  promise.then(
    () => expect.unreachable(),
    (error) => error,
  )

/** Middy 6 does not have these modules, so they are imported only when a test needs them. */
async function importMode(mode: 'StreamifyResponse' | 'DurableContext'): Promise<unknown> {
  const module = await import(/* @vite-ignore */ `@middy/core/${mode}`)
  return module[`executionMode${mode}`]
}

const seen = () =>
  gateway.requests.map(({ method, path, status, signature }) => `${method} ${path} ${status} ${signature.verified}`)

it.skipIf(process.env.MIDDY_MAJOR === undefined)(`@middy/core ${version} is the wanted version`, () => {
  expect(String(major)).toBe(process.env.MIDDY_MAJOR)
})

describe(`@middy/core ${major}, standard mode`, () => {
  it('puts clients on the context, each invocation with its own trace', async () => {
    const handler = middy<{ id: string }>()
      .use(signedServices({ services: ['ai'] }))
      .handler(async ({ id }, { services: { ai } }) => ai.get(`jobs/${id}`).json())
    const contexts = [lambdaContext(), lambdaContext(), lambdaContext()]
    expect(await Promise.all(contexts.map((context, index) => handler({ id: `${index}` }, context)))).toEqual([
      { id: '0' },
      { id: '1' },
      { id: '2' },
    ])
    const traces = gateway.requests.map(({ headers }) => headers['x-amzn-trace-id'])
    expect(traces.sort()).toEqual(contexts.map((context) => (context as { xRayTraceId?: string }).xRayTraceId).sort())
    expect(gateway.requests.every(({ signature }) => signature.verified)).toBe(true)
  })

  it('works for a handler that is given to middy() itself, and in an array of middlewares', async () => {
    const bare = async (_event: unknown, { services: { ai } }: Services) => ai.get('jobs/1').json()
    const handler = middy(bare).use([signedServices({ services: ['ai'] })])
    expect(await handler({}, lambdaContext())).toEqual({ id: '1' })
  })

  it.each(['before', 'after'] as const)('works %s a middleware that responds early', async (place) => {
    const early = { before: async (request: { context: Context }) => asked(request.context as Services) }
    const asked = async (context: Services) =>
      context.services ? await context.services.ai.get('jobs/2').json() : 'none'
    const services = signedServices({ services: ['ai'] })
    const run = vi.fn()
    const handler = middy()
      .use(place === 'before' ? [services, early] : [early, services])
      .handler(run)
    for (let invocation = 0; invocation < 2; invocation += 1) {
      expect(await handler({}, lambdaContext())).toEqual(place === 'before' ? { id: '2' } : 'none')
    }
    expect(run).not.toHaveBeenCalled()
  })

  it('leaves the response of onError unchanged, and rethrows an error for which onError gives none', async () => {
    const failing = (answer?: object) =>
      middy()
        .use(signedServices({ services: ['ai'] }))
        .use({ onError: (request) => answer && Object.assign(request, { response: answer }) && undefined })
        .handler(async (_, { services: { ai } }) => ai.get('unknown').json())
    expect(await failing({ statusCode: 502 })({}, lambdaContext())).toEqual({ statusCode: 502 })
    expect(await failure(failing()({}, lambdaContext()))).toMatchObject({ code: 'ERR_SERVICE_AUTH', service: 'ai' })
  })

  it('ends calls in flight when the handler fails', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {})
    gateway.fail('ai GET /jobs/:id', 'hang')
    gateway.fail('ai POST /jobs', { delay: 50 })
    let forgotten: Promise<unknown> | undefined
    const handler = middy()
      .use(signedServices({ services: ['ai'] }))
      .handler(async (_, { services: { ai } }) => {
        forgotten = failure(ai.get('jobs/1').json())
        ai.post('jobs', { json: 1 })
        await sleep(20)
        throw new Error('mine')
      })
    expect(await failure(handler({}, lambdaContext()))).toMatchObject({ message: 'mine' })
    expect(await forgotten).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' })
    expect(seen()).toContain('POST /jobs 200 true')
    expect(console.warn).toHaveBeenCalledExactlyOnceWith(
      'Calls were still pending when the handler ended: ai GET /jobs/1 (aborted), ai POST /jobs (finished). Await each call in the handler.',
      expect.anything(),
    )
  })
})

describe(`@middy/core ${major}, timeouts of Middy itself`, () => {
  const hanging = (
    plugin: middy.PluginObject,
    deadlineMargin: number,
    run: (ai: ServiceClient, signal: AbortSignal) => Promise<unknown>,
  ) =>
    middy(plugin)
      .use(signedServices({ services: ['ai'], deadlineMargin }))
      .handler(async (_, { services: { ai } }, { signal }) => run(ai, signal))

  beforeEach(() => {
    vi.spyOn(console, 'warn').mockImplementation(() => {})
    gateway.fail('ai *', 'hang')
  })

  it("come after the deadline of calls, whose error is the handler's", async () => {
    const handler = hanging({}, 100, (ai) => ai.get('jobs/1').json())
    expect(await failure(handler({}, lambdaContext(200)))).toMatchObject({
      code: 'ERR_SERVICE_TIMEOUT',
      deadline: true,
    })
    expect(console.warn).not.toHaveBeenCalled()
  })

  it('that come first end the calls as well', async () => {
    let ended: Promise<unknown> | undefined
    const handler = hanging({ timeoutEarlyInMillis: 150 }, 0, (ai) => {
      ended = failure(ai.get('jobs/1').json())
      return ended
    })
    expect(await failure(handler({}, lambdaContext(200)))).toMatchObject({ name: 'TimeoutError', message: /aborted/ })
    expect(await ended).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' })
  })

  it("can respond early; Middy's signal ends a call that uses it, as the caller's own abort", async () => {
    let ended: Promise<unknown> | undefined
    const early = { timeoutEarlyInMillis: 150, timeoutEarlyResponse: () => ({ statusCode: 504 }) }
    const handler = hanging(early, 0, (ai, signal) => {
      ended = failure(ai.get('jobs/1', { signal }).json())
      return ended
    })
    for (let invocation = 0; invocation < 2; invocation += 1) {
      expect(await handler({}, lambdaContext(200))).toEqual({ statusCode: 504 })
      expect(await ended).toMatchObject({ name: 'AbortError' })
    }
  })
})

describe(`@middy/core ${major}, streamify mode`, () => {
  let sent: { metadata?: object }
  beforeEach(() => {
    sent = {}
    // As the runtime has it: it must be there before middy() is called.
    vi.stubGlobal('awslambda', {
      streamifyResponse:
        (run: (event: unknown, stream: unknown, context: unknown) => Promise<void>) =>
        async (event: unknown, context: unknown) => {
          const stream = new PassThrough()
          const [body] = await Promise.all([text(stream), run(event, stream, context)])
          return body
        },
      HttpResponseStream: {
        from: (stream: PassThrough, metadata: object) => {
          sent.metadata = metadata
          return stream
        },
      },
    })
  })
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  const start = async (run: (ai: ServiceClient) => Promise<unknown>) => {
    const plugin = major === 6 ? { streamifyResponse: true } : { executionMode: await importMode('StreamifyResponse') }
    return middy(plugin as middy.PluginObject)
      .use(signedServices({ services: ['ai'] }))
      .handler(async (_, { services: { ai } }) => run(ai))
  }

  it("does not cut a service's response that is streamed after the handler has ended", async () => {
    const handler = await start(async (ai) => (await ai.get('text')).body)
    expect(await handler({}, lambdaContext())).toBe(ROUTES['GET /text'])
    expect(seen()).toEqual(['GET /text 200 true'])
  })

  it('lets a stream make calls while it flows', async () => {
    async function* lines(ai: ServiceClient) {
      for (const id of [1, 2, 3]) {
        await sleep(5)
        yield `${await ai.get(`jobs/${id}`).text()}\n`
      }
    }
    const { Readable } = await import('node:stream')
    const handler = await start(async (ai) => ({ statusCode: 200, body: Readable.from(lines(ai)) as Readable }))
    expect(await handler({}, lambdaContext())).toBe('{"id":"1"}\n{"id":"2"}\n{"id":"3"}\n')
    expect(sent.metadata).toEqual({ statusCode: 200 })
  })

  it('ends calls of a handler that fails', async () => {
    const handler = await start((ai) => ai.get('unknown').json())
    expect(await failure(Promise.resolve(handler({}, lambdaContext())))).toMatchObject({ code: 'ERR_SERVICE_AUTH' })
  })
})

describe.skipIf(major === 6)(`@middy/core ${major}, durable mode`, () => {
  it('gives clients to each replay, and runs a step once', async () => {
    const executionMode = (await importMode('DurableContext')) as middy.PluginObject['executionMode'] & {}
    const { LocalDurableTestRunner } = await import('@aws/durable-execution-sdk-js-testing')
    const replays: string[] = []
    const handler = middy({ executionMode })
      .use(signedServices({ services: ['ai'] }))
      .handler(async (event, context) => {
        const { services, step, wait } = context as unknown as Services & DurableSteps
        replays.push(services.ai.name)
        const created = await step.call(context, 'create', async () => services.ai.post('jobs', { json: event }).json())
        await wait.call(context, 'pause', { seconds: 1 })
        const found = await step.call(context, 'find', async () => services.ai.get('jobs/9').json())
        return { created, found }
      })
    vi.stubEnv('_X_AMZN_TRACE_ID', 'Root=1-67f1a2b3-0123456789abcdef01234567;Sampled=1')
    // In real time: with the runner's fake timers, Node.js 22 never ends reading a Request's body.
    await LocalDurableTestRunner.setupTestEnvironment({ skipTime: false })
    try {
      const runner = new LocalDurableTestRunner({ handlerFunction: handler as never })
      const execution = await runner.run({ payload: { topic: 't' } })
      expect(execution.getResult()).toEqual({ created: { created: { topic: 't' } }, found: { id: '9' } })
    } finally {
      await LocalDurableTestRunner.teardownTestEnvironment()
    }
    expect(replays).toEqual(['ai', 'ai'])
    expect(seen()).toEqual(['POST /jobs 200 true', 'GET /jobs/9 200 true'])
    expect(gateway.requests.map(({ headers }) => headers['x-amzn-trace-id'])).toEqual(
      Array(2).fill('Root=1-67f1a2b3-0123456789abcdef01234567;Sampled=1'),
    )
  })

  it("takes deadline and trace from Lambda's context within the durable one", async () => {
    const { before } = signedServices({ services: ['ai'], deadlineMargin: 0 })
    const context = { lambdaContext: lambdaContext(100) } as unknown as Services
    await before?.({ context, internal: {} } as never)
    gateway.fail('ai GET /jobs/:id', 'hang')
    expect(await failure(context.services.ai.get('jobs/1').json())).toMatchObject({ deadline: true })
    const { xRayTraceId } = (context as unknown as { lambdaContext: { xRayTraceId: string } }).lambdaContext
    expect(gateway.requests[0]?.headers['x-amzn-trace-id']).toBe(xRayTraceId)
  })
})

interface DurableSteps {
  step<T>(name: string, run: () => Promise<T>): Promise<T>
  wait(name: string, duration: { seconds: number }): Promise<void>
}

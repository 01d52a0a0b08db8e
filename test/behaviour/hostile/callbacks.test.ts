import { inspect } from 'node:util'
import middy from '@middy/core'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type CallRecord,
  createServices,
  createSignedFetch,
  type ServicesContext,
  type SignedServicesOptions,
  signedServices,
} from '../../../src/index.ts'
import { type BatchInvokeError, batchInvokeApiGateway, CircuitBreaker } from '../../../src/request-signer.ts'
import { answer, IDENTITY, rejection, setEnv, startRecorder } from '../../support/helpers.ts'
import { startRawServer } from '../../support/raw-server.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

const unhandled = vi.fn()
beforeEach(() => {
  unhandled.mockClear()
  process.on('unhandledRejection', unhandled)
  process.on('uncaughtException', unhandled)
  onTestFinished(async () => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    process.off('unhandledRejection', unhandled)
    process.off('uncaughtException', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})

function revoked(target: object = {}): object {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

const throwing = (...keys: string[]) => {
  const error = new Error('x')
  for (const key of keys) {
    Object.defineProperty(error, key, {
      get() {
        throw new Error(`no ${key}`)
      },
    })
  }
  return error
}

const trap = () => {
  throw new Error('trap')
}

/** Anything may be thrown. */
const THROWN: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  zero: () => 0,
  'a BigInt': () => 1n,
  'a text': () => 'gone',
  'a symbol': () => Symbol('gone'),
  'a function': () => () => {},
  'a class': () => class Gone {},
  'an object without a prototype': () => Object.create(null),
  'a revoked proxy': () => revoked(),
  'a revoked function': () => revoked(() => {}),
  'a proxy that throws': () => new Proxy({}, { get: trap, getPrototypeOf: trap, has: trap, ownKeys: trap }),
  'an error with throwing getters': () => throwing('message', 'name', 'code', 'cause', 'stack', 'errors', 'syscall'),
  'an error with a revoked cause': () => new Error('x', { cause: revoked() }),
  'an aggregate of revoked errors': () => new AggregateError([revoked(), throwing('message')]),
  'a revoked list of errors': () => Object.assign(new Error('x'), { errors: revoked([]) }),
  'an error that is its own cause': () => {
    const error = new Error('x')
    error.cause = error
    return error
  },
  'a batch of itself': () => {
    const error = Object.assign(new Error('x'), { code: 'ERR_BATCH_INVOKE', errors: [] as unknown[] })
    error.errors.push(error, error)
    return error
  },
  'what calls itself an HTTPError': () => Object.assign(new Error('x'), { name: 'HTTPError' }),
  'what calls itself a TimeoutError': () => ({ name: 'TimeoutError', message: Symbol('x') }),
  'a Response': () => new Response('x'),
  'a tag that throws': () => Object.defineProperty(new Error('x'), Symbol.toStringTag, { get: trap }),
  'a thenable that throws': () => Object.defineProperty({}, 'then', { get: trap }),
  'a frozen error': () => Object.freeze(new Error('x')),
}
const NAMES = Object.keys(THROWN)

const ways = (value: () => unknown): readonly ((...args: never[]) => unknown)[] => [
  () => {
    throw value()
  },
  () => Promise.reject(value()),
]

const log = () => {}
const logger = { info: log, warn: log, error: log }

function createClient(options: Omit<SignedServicesOptions, 'services'> = {}) {
  const records: CallRecord[] = []
  const { ai } = createServices({
    credentials: IDENTITY,
    retry: 0,
    fetch: () => answer('{"a":1}'),
    logger,
    onCall: (record) => void records.push(record),
    ...options,
    services: { ai: BASE },
  })
  return { ai, records }
}

function expectShowable(error: unknown, code = /^ERR_SERVICE_/): void {
  expect(error).toMatchObject({ code: expect.stringMatching(code), message: expect.any(String) })
  expect(() => [inspect(error, { depth: 20 }), JSON.stringify(error), String((error as Error).stack)]).not.toThrow()
}

describe.each(NAMES)('where %s is thrown', (name) => {
  const thrown = THROWN[name] as () => unknown

  it('by a fetch, the call ends with a network error', async () => {
    for (const fetch of ways(thrown) as (typeof globalThis.fetch)[]) {
      const { ai, records } = createClient({ fetch })
      for (const call of [() => ai.get('x').json(), () => ai.post('x', { json: {} }), () => ai.fetch('x')]) {
        const error = await rejection(call())
        expectShowable(error, /^ERR_SERVICE_(NETWORK|TIMEOUT)$/)
      }
      expect(records.map(({ errorCode }) => errorCode)).toEqual(Array(3).fill(expect.stringMatching(/NETWORK|TIMEOUT/)))
      const signed = createSignedFetch({ credentials: IDENTITY, region: 'eu-central-1', service: 's3', fetch })
      const error = await rejection(signed(`${BASE}/x`))
      expect(error).toBeInstanceOf(TypeError)
      expect(() => inspect(error, { depth: 20 })).not.toThrow()
    }
  })

  it('by a body, its reader fails', async () => {
    const body = () => new ReadableStream({ pull: (controller) => controller.error(thrown()) })
    const { ai } = createClient({ fetch: () => answer(body()) })
    expectShowable(await rejection(ai.get('x').json()))
    expectShowable(await rejection(ai.fetch('x').then((response) => response.blob())))
  })

  it('by a provider, the call is refused', async () => {
    for (const credentials of ways(thrown)) {
      const { ai } = createClient({ credentials: credentials as never })
      const error = await rejection(ai.get('x').json())
      expectShowable(error, /^ERR_SERVICE_REQUEST$/)
      expect(error).toMatchObject({ attempts: 0 })
    }
  })

  it.each(['beforeRequest', 'afterResponse', 'beforeRetry', 'beforeError', 'init'])('by the hook %s', async (hook) => {
    for (const way of ways(thrown)) {
      const { ai, records } = createClient(hook === 'beforeError' ? { fetch: () => answer('', { status: 404 }) } : {})
      const fetch = hook === 'beforeRetry' ? () => answer('', { status: 503 }) : undefined
      const { ai: retried } = createClient({ ...(fetch && { fetch }), retry: { limit: 2, delay: () => 0 } })
      const hooks = { [hook]: [way] } as never
      const run = fetch ? retried.get('x', { hooks }).json() : ai.get('x', { hooks }).json()
      const outcome = await run.then(
        () => undefined,
        (error: unknown) => error,
      )
      // An init hook is not waited for.
      if (outcome === undefined) expect(hook).toBe('init')
      else expectShowable(outcome)
      if (!fetch) expect(records.length).toBe(1)
    }
  })

  it.each(['delay', 'jitter', 'shouldRetry'])('by the retry option %s', async (option) => {
    const { ai } = createClient({ fetch: () => answer('', { status: 503 }) })
    for (const way of ways(thrown).slice(0, option === 'shouldRetry' ? 2 : 1)) {
      expectShowable(await rejection(ai.get('x', { retry: { limit: 2, [option]: way } as never })))
    }
  })

  it('by a parser, a stringifier or a throwHttpErrors', async () => {
    for (const status of [200, 500]) {
      const { ai } = createClient({
        fetch: () => answer('{}', { status, headers: { 'content-type': 'application/json' } }),
      })
      const [way] = ways(thrown) as [never]
      expectShowable(await rejection(ai.get('x', { parseJson: way }).json()))
      expectShowable(await rejection(ai.post('x', { json: {}, stringifyJson: way }).json()))
      if (status === 500) expectShowable(await rejection(ai.get('x', { throwHttpErrors: way }).json()))
    }
  })

  it('by the result of a parser, the call ends', async () => {
    const headers = { 'content-type': 'application/json' }
    const { ai } = createClient({ fetch: () => answer('{"a":1}', { status: 500, headers }) })
    const parseJson = () => Object.defineProperty({}, 'a', { enumerable: true, get: ways(thrown)[0] as () => unknown })
    expectShowable(await rejection(ai.get('x', { parseJson }).json()))
  })

  it('by a logger, an onCall or their promises, the call succeeds', async () => {
    for (const way of ways(thrown) as (() => never)[]) {
      const { ai } = createClient({ logger: { info: way, warn: way, error: way }, onCall: way })
      expect(await ai.get('x').json()).toEqual({ a: 1 })
      expect((await ai.fetch('x')).status).toBe(200)
    }
  })

  it('given back by a logger, an onCall or a hook, the call ends', async () => {
    const give = thrown as () => never
    const { ai } = createClient({ logger: { info: give, warn: give, error: give }, onCall: give })
    expect(await ai.get('x').json()).toEqual({ a: 1 })
    for (const hook of ['beforeRequest', 'afterResponse']) {
      const outcome = await ai.get('x', { hooks: { [hook]: [give] } as never }).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (outcome !== undefined) expectShowable(outcome)
    }
  })

  it('given back by a fetch, it is said that it is no response', async () => {
    const { ai } = createClient({ fetch: (async () => thrown()) as never })
    if (name === 'a Response') return
    expectShowable(await rejection(ai.get('x').json()))
    expectShowable(await rejection(ai.fetch('x')))
  })

  it('as the reason of an abort, the very reason comes back and is reported', async () => {
    const reason = thrown()
    if (reason === undefined) return
    const { ai, records } = createClient({ fetch: () => new Promise(() => {}) })
    const controller = new AbortController()
    const call = ai.get('x', { signal: controller.signal }).then(
      () => expect.unreachable(),
      (error: unknown) => [error],
    )
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort(reason)
    const [error] = await call
    expect(Object.is(error, reason)).toBe(true)
    expect(records).toEqual([expect.objectContaining({ errorCode: 'ABORTED' })])
  })

  it.each(['', 'HTTP/1.1 200 OK\r\n\r\nhalf'])(
    'as the reason of an abort at a real server, after %j',
    async (start) => {
      const reason = thrown()
      if (reason === undefined) return
      const server = await startRawServer((socket) => {
        socket.write(start)
        setTimeout(() => controller.abort(reason), 5)
      })
      onTestFinished(server.close)
      const controller = new AbortController()
      const { ai } = createServices({ services: { ai: server.url }, region: 'eu-central-1', credentials: IDENTITY })
      const [error] = await ai
        .get('x', { signal: controller.signal })
        .text()
        .then(
          () => expect.unreachable(),
          (one: unknown) => [one],
        )
      expect(Object.is(error, reason)).toBe(true)
    },
  )

  it('as the reason of a call that outlives its handler, the handler ends', async () => {
    const reason = thrown()
    if (reason === undefined) return
    const controller = new AbortController()
    const handler = middy({ timeoutEarlyInMillis: 0 })
      .use(
        signedServices({ services: { ai: BASE }, credentials: IDENTITY, logger, fetch: () => new Promise(() => {}) }),
      )
      .handler(async (_event, context) => {
        void (context as ServicesContext<'ai'>).services.ai.post('x', { signal: controller.signal })
        setTimeout(() => controller.abort(reason), 5)
        return 'done'
      })
    expect(await handler({}, {} as never)).toBe('done')
  })

  it('by the function of a circuit breaker, it counts, and is rethrown unchanged', async () => {
    const breaker = new CircuitBreaker({ failureThreshold: 1 })
    const outcome = await breaker
      .execute(() => {
        throw thrown()
      })
      .then(
        () => expect.unreachable(),
        (error: unknown) => [error],
      )
    expect(outcome).toHaveLength(1)
    expect(await rejection(breaker.execute(async () => 1))).toMatchObject({ code: 'ERR_SERVICE_CIRCUIT_OPEN' })
  })

  it('by an item of a batch, the others keep their results', async () => {
    const recorder = await startRecorder()
    onTestFinished(recorder.close)
    setEnv({ AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'secret' })
    const get = () => {
      throw thrown()
    }
    const good = { apiUrl: recorder.url, method: 'GET', path: 'x' }
    const requests = [good, Object.defineProperty({ ...good }, 'path', { get }), good, good] as (typeof good)[]
    Object.defineProperty(requests, 2, { get })
    const error = (await rejection(batchInvokeApiGateway(requests, { concurrency: 2 }))) as BatchInvokeError
    expect(error).toMatchObject({ code: 'ERR_BATCH_INVOKE', results: [{}, undefined, undefined, {}] })
    expect(error.failedIndexes).toEqual([1, 2])
    expect(error.message).toMatch(/^2 of 4 requests failed:/)
  })
})

describe('whatever a fetch gives', () => {
  const member = (valid: fc.Arbitrary<unknown>) =>
    fc.oneof(
      fc.oneof(valid, fc.anything()).map((value) => () => value),
      fc.constantFrom(...NAMES).map((name) => THROWN[name] as () => unknown),
    )

  it('each call ends with a value or an error that can be shown', async () => {
    const response = fc.record(
      {
        status: member(fc.integer({ min: -1, max: 1000 })),
        statusText: member(fc.string()),
        headers: member(fc.constant(new Headers({ a: 'b' }))),
        body: member(fc.constantFrom(null, undefined)),
        bodyUsed: member(fc.boolean()),
        url: member(fc.string()),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(response, async (members) => {
        const given = Object.fromEntries(Object.entries(members).map(([name, make]) => [name, make()]))
        const { ai, records } = createClient({ fetch: (async () => given) as never, timeout: 500 })
        for (const call of [() => ai.get('x').json(), () => ai.fetch('x').then((one) => one.text())]) {
          const error = await call().then(
            () => undefined,
            (thrown: unknown) => thrown,
          )
          if (error !== undefined) expectShowable(error)
        }
        expect(records.length).toBe(2)
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['has been read', (response: Response) => response.text()],
    ['is locked', (response: Response) => response.body?.getReader()],
    ['was cancelled', (response: Response) => response.body?.cancel()],
  ])('a body that %s is named', async (_, use) => {
    const fetch = async () => {
      const response = new Response('{}')
      await use(response)
      return response
    }
    const { ai } = createClient({ fetch })
    expect(await rejection(ai.get('x').json())).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: 'ai: GET /x: fetch returned a Response whose body has already been read',
    })
  })
})

describe("a hook's own response", () => {
  it.each<[string, () => unknown]>([
    ['without headers', () => ({ status: 200, ok: true, [Symbol.toStringTag]: 'Response', text: async () => '{}' })],
    ['without anything', () => ({})],
    [
      'whose headers throw',
      () => ({ status: 200, ok: true, [Symbol.toStringTag]: 'Response', headers: { get: trap } }),
    ],
    ['that is revoked', () => revoked()],
    ['whose members throw', () => new Proxy({ [Symbol.toStringTag]: 'Response' }, { get: trap })],
    ['of status 0', () => Response.error()],
    ['that was read', () => Object.assign(new Response('x'), {})],
  ])('%s ends its call, is reported, and lets a breaker go', async (_, give) => {
    const { ai, records } = createClient({ circuitBreaker: { failureThreshold: 1, resetTimeout: 60_000 } })
    for (const hook of ['beforeRequest', 'afterResponse']) {
      const outcome = await ai
        .get('x', { hooks: { [hook]: [give] } as never })
        .json()
        .catch((error: unknown) => error)
      expect(() => inspect(outcome, { depth: 1 })).not.toThrow()
    }
    expect(records.length).toBe(2)
    expect(await ai.get('x').json()).toEqual({ a: 1 })
  })
})

describe('a circuit breaker', () => {
  it('is not opened by a batch of 404s', async () => {
    const { ai } = createClient({ fetch: () => answer('', { status: 404 }) })
    const breaker = new CircuitBreaker({ failureThreshold: 1 })
    const batch = async () => {
      const errors = await Promise.all([rejection(ai.get('x')), rejection(ai.get('y'))])
      throw Object.assign(new Error('batch'), { code: 'ERR_BATCH_INVOKE', errors })
    }
    for (let count = 0; count < 5; count += 1) {
      expect(await rejection(breaker.execute(batch))).toMatchObject({ code: 'ERR_BATCH_INVOKE' })
    }
    expect(await breaker.execute(async () => 'closed')).toBe('closed')
  })
})

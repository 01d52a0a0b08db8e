import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import middy from '@middy/core'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { ServiceCall } from '../../src/client/index.ts'
import { createServices, type ServicesContext, type SignedServicesOptions, signedServices } from '../../src/index.ts'
import { PendingCalls } from '../../src/middleware/pending-calls.ts'
import { answer, IDENTITY, rejection } from '../support/helpers.ts'
import { startStopwatch } from '../support/stopwatch.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

let warnings: string[]
let details: unknown[]
let aborted: string[]
let finished: string[]
beforeEach(() => {
  warnings = []
  details = []
  aborted = []
  finished = []
})

/** Responds after `ms`, unless it is aborted. */
const slow =
  (ms: number): typeof fetch =>
  (input, init) =>
    new Promise((resolve, reject) => {
      const name = `${init?.method} ${new URL(String(input)).pathname.slice(5)}`
      const timer = setTimeout(() => {
        finished.push(name)
        resolve(new Response('{}'))
      }, ms)
      init?.signal?.addEventListener('abort', () => {
        clearTimeout(timer)
        aborted.push(name)
        reject(init.signal?.reason)
      })
    })

/** Longer than anything waits, on a busy machine too. */
const SLOW = { fetch: slow(30_000) }

const warn = (message: string, more: unknown) => {
  warnings.push(message)
  details.push(more)
}
const logger = { debug() {}, info() {}, error() {}, warn }
type Services = ServicesContext<['ai']>['services']

async function run(handler: (services: Services) => unknown, options: SignedServicesOptions = {}, remaining = 60_000) {
  const end = Date.now() + remaining
  /** Whether the invocation ended in a later event-loop turn than its handler. */
  let hasWaited = false
  const wrapped = middy({ timeoutEarlyInMillis: 0 })
    .use(
      signedServices({
        services: { ai: BASE },
        credentials: IDENTITY,
        fetch: slow(60),
        logger,
        deadlineMargin: 0,
        retry: 0,
        ...options,
      } as const),
    )
    .handler(async (_, { services }) => {
      try {
        return await handler(services as Services)
      } finally {
        setImmediate(() => {
          hasWaited = true
        })
      }
    })
  const startedAt = Date.now()
  const read = startStopwatch()
  const context = { getRemainingTimeInMillis: () => end - Date.now() } as unknown as ServicesContext<never>
  const result = await wrapped({}, context as never).catch((error: unknown) => error)
  return { result, hasWaited, took: read(), elapsed: Date.now() - startedAt }
}

describe('when the handler ends,', () => {
  it.each(['post', 'put', 'patch', 'delete'] as const)(
    'a %s that is not awaited finishes, and the warning names it',
    async (method) => {
      const { result } = await run(({ ai }) => {
        ai[method]('x')
        return 'done'
      })
      expect(result).toBe('done')
      expect(finished).toEqual([`${method.toUpperCase()} /x`])
      expect(warnings).toEqual([
        `Calls were still pending when the handler ended: ai ${method.toUpperCase()} /x (finished). Await each call in the handler.`,
      ])
    },
  )

  it('calls that only read are aborted at once, and the warning names them', async () => {
    const { hasWaited } = await run(async ({ ai }) => {
      ai.get('x').json()
      ai.head('y')
      ai.fetch('z')
      ai('w', { method: 'options' })
      await wait(10)
    }, SLOW)
    await wait(5)
    expect(hasWaited).toBe(false)
    expect(finished).toEqual([])
    expect(aborted.toSorted()).toEqual(['GET /x', 'GET /z', 'HEAD /y', 'OPTIONS /w'])
    expect(warnings).toEqual([
      'Calls were still pending when the handler ended: ai GET /x (aborted), ai HEAD /y (aborted), ai GET /z (aborted), ai OPTIONS /w (aborted). Await each call in the handler.',
    ])
  })

  it('nothing is waited for or logged if nothing is in flight', async () => {
    const { elapsed } = await run(async ({ ai }) => ai.get('x').json())
    expect(elapsed).toBeGreaterThan(50)
    expect(warnings).toEqual([])
  })

  it('calls that are left at the deadline are aborted', async () => {
    const { took } = await run(({ ai }) => void ai.post('x'), SLOW, 150)
    expect(took).toBeLessThan(300)
    await wait(5)
    expect(aborted).toEqual(['POST /x'])
    expect(warnings).toEqual([
      'Calls were still pending when the handler ended: ai POST /x (aborted). Await each call in the handler.',
    ])
  })

  it('one that fails meanwhile is named as failed, and logged', async () => {
    const down: typeof fetch = () => wait(20).then(() => Promise.reject(new TypeError('fetch failed')))
    await run(({ ai }) => void ai.post('x'), { fetch: down })
    expect(warnings.toSorted()).toEqual([
      'A call failed and was never awaited: ai: POST /x: ERR_SERVICE_NETWORK',
      'Calls were still pending when the handler ended: ai POST /x (failed). Await each call in the handler.',
    ])
  })

  it('one that reached its own timeout is named as failed; one that its caller aborted is not named', async () => {
    await run(({ ai }) => {
      ai.post('x', { timeout: 20 })
      ai.get('y', { signal: AbortSignal.abort() }).catch(() => {})
    })
    expect(warnings.toSorted()).toEqual([
      'A call failed and was never awaited: ai: POST /x: ERR_SERVICE_TIMEOUT',
      'Calls were still pending when the handler ended: ai POST /x (failed). Await each call in the handler.',
    ])
  })

  it('a call is waited for until its own end if the context has no deadline', async () => {
    const handler = middy()
      .use(signedServices({ services: { ai: BASE }, credentials: IDENTITY, fetch: slow(60), logger }))
      .handler(async (_, { services }) => void services.ai.post('x'))
    await handler({}, {} as ServicesContext<'ai'>)
    expect(warnings).toEqual([
      'Calls were still pending when the handler ended: ai POST /x (finished). Await each call in the handler.',
    ])
    expect(details).toEqual([{ calls: [{ service: 'ai', method: 'POST', path: '/x', end: 'finished' }] }])
  })

  it('a call that was not sent yet is never sent', async () => {
    const fetch = vi.fn<typeof globalThis.fetch>()
    await run(({ ai }) => void ai.get('x'), { fetch })
    await wait(5)
    expect(fetch).not.toHaveBeenCalled()
    expect(warnings).toEqual([
      'Calls were still pending when the handler ended: ai GET /x (aborted). Await each call in the handler.',
    ])
  })

  it('a number of milliseconds bounds the wait', async () => {
    const { took } = await run(({ ai }) => void ai.post('x'), { ...SLOW, pendingCalls: 40 })
    expect(took).toBeLessThan(300)
    await wait(5)
    expect(aborted).toEqual(['POST /x'])
  })

  it('`ignore` leaves everything alone', async () => {
    const { hasWaited } = await run(({ ai }) => void [ai.post('x'), ai.get('y')], { pendingCalls: 'ignore' })
    expect(hasWaited).toBe(false)
    expect(warnings).toEqual([])
    await vi.waitFor(() => expect(finished.toSorted()).toEqual(['GET /y', 'POST /x']), { timeout: 10_000 })
  })

  it('a failure is not held up: reads are aborted, and a write has a second', async () => {
    const fails = await run(({ ai }) => Promise.all([ai.get('x'), ai.get('y'), Promise.reject(new Error('quick'))]), {
      ...SLOW,
    })
    expect(fails.result).toMatchObject({ message: 'quick' })
    expect(fails.took).toBeLessThan(300)
    const writes = await run(({ ai }) => {
      ai.post('forgotten')
      return Promise.all([ai.post('x'), Promise.reject(new Error('quick'))])
    }, SLOW)
    expect(writes.elapsed).toBeGreaterThan(950)
    expect(writes.took).toBeLessThan(1500)
  })

  it('a race that went to a fallback is not held up', async () => {
    const { result, took } = await run(
      ({ ai }) => Promise.race([ai.get('x').json(), wait(20).then(() => 'fallback')]),
      SLOW,
    )
    expect(result).toBe('fallback')
    expect(took).toBeLessThan(300)
    const readTwice = ({ ai }: Services) => {
      const call = ai.post('z')
      call.text()
      return call.json()
    }
    const write = await run(
      (services) =>
        Promise.race([
          services.ai.post('x').json(),
          services.ai.post('y'),
          readTwice(services),
          wait(20).then(() => 'fallback'),
        ]),
      SLOW,
    )
    expect(write.took).toBeLessThan(1500)
  })

  it('a write has a second, awaited or not, and until the deadline where the option says so', async () => {
    const race = ({ ai }: Services) => {
      void ai.post('x').json()
      return Promise.race([ai.post('y'), wait(20)])
    }
    const { took, elapsed } = await run(race, SLOW)
    expect(elapsed).toBeGreaterThan(950)
    expect(took).toBeLessThan(1190)
    const patient = await run(race, { fetch: slow(1200), pendingCalls: 'await' })
    expect(patient.elapsed).toBeGreaterThan(1150)
    expect(warnings).toEqual([
      'Calls were still pending when the handler ended: ai POST /x (aborted), ai POST /y (aborted). Await each call in the handler.',
      'Calls were still pending when the handler ended: ai POST /x (finished), ai POST /y (finished). Await each call in the handler.',
    ])
  })

  it('a call that starts during the wait is waited for as well, and one that starts later is never sent', async () => {
    let late: Promise<unknown> | undefined
    await run(
      ({ ai }) => {
        void (async () => {
          await ai.post('a')
          await ai.post('b')
          await wait(20)
          late = rejection(ai.post('c'))
        })()
      },
      { fetch: slow(30) },
    )
    expect(finished).toEqual(['POST /a', 'POST /b'])
    expect(warnings).toEqual([
      'Calls were still pending when the handler ended: ai POST /a (finished), ai POST /b (finished). Await each call in the handler.',
    ])
    await wait(40)
    expect(await late).toMatchObject({ name: 'ServiceTimeoutError', attempts: 0 })
    expect(finished).toEqual(['POST /a', 'POST /b'])
  })

  it("a first call that starts after the handler's end is never sent", async () => {
    let late: Promise<unknown> | undefined
    await run(({ ai }) => {
      setTimeout(() => {
        late = rejection(ai.post('x'))
      }, 10)
    })
    await wait(20)
    expect(await late).toMatchObject({ name: 'ServiceTimeoutError', attempts: 0 })
    expect(finished).toEqual([])
  })

  async function* readInTurn(ai: Services['ai']) {
    yield await ai.get('a').text()
    yield await ai.get('b').text()
  }

  it('calls that produce a streamed response continue', async () => {
    const { result } = await run(
      ({ ai }) =>
        new ReadableStream({
          async start(controller) {
            controller.enqueue(Buffer.from(await ai.get('a').text()))
            controller.enqueue(Buffer.from(await ai.get('b').text()))
            controller.close()
          },
        }),
      { fetch: slow(20) },
    )
    expect(await new Response(result as ReadableStream).text()).toBe('{}{}')
    const readable = await run(({ ai }) => ({ statusCode: 200, body: Readable.from(readInTurn(ai)) }), {
      fetch: slow(20),
    })
    expect(await text((readable.result as { body: Readable }).body)).toBe('{}{}')
    expect(warnings).toEqual([])
  })

  it('and another middleware fails after it, nothing is said twice', async () => {
    const wrapped = middy()
      .use({
        after: () => {
          throw new Error('later')
        },
      })
      .use(signedServices({ services: { ai: BASE }, credentials: IDENTITY, fetch: slow(60), logger }))
      .handler(async (_, { services }) => {
        services.ai.get('x')
        await wait(5)
      })
    await rejection(wrapped({}, {} as ServicesContext<'ai'>))
    expect(warnings).toHaveLength(1)
  })

  it('a streamed response is not cut', async () => {
    const chunks = ['a', 'b', 'c']
    const stream: typeof fetch = () =>
      answer(
        new ReadableStream({
          pull: async (controller) => {
            await wait(10)
            const chunk = chunks.shift()
            return chunk === undefined ? controller.close() : controller.enqueue(Buffer.from(chunk))
          },
        }),
      )
    const { result } = await run(async ({ ai }) => (await ai.get('x')).body, { fetch: stream })
    expect(await new Response(result as ReadableStream).text()).toBe('abc')
    expect(warnings).toEqual([])
  })
})

describe('the calls of an invocation', () => {
  const createCall = () => ({
    ...{ service: 'ai', method: 'POST', path: '/x', failure: undefined as unknown, hasListener: false },
    abortAtHandlerEnd: vi.fn(),
    markNamedInWarning: vi.fn(),
    warnUnawaited: vi.fn(),
  })

  it('leave no timer, and are not waited for once they have ended', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const calls = new PendingCalls(1000, () => {})
    const call = createCall() as unknown as ServiceCall
    calls.add(call)
    const ended = calls.finish(false)
    expect(vi.getTimerCount()).toBe(1)
    calls.remove(call)
    await ended
    expect(vi.getTimerCount()).toBe(0)
    expect(new PendingCalls('await', () => {}).finish(false)).toBeUndefined()
  })

  it('that failed without being awaited are logged once, in the turn in which the handler ends', async () => {
    const calls = new PendingCalls('await', () => {})
    const call = { ...createCall(), failure: new Error('x') }
    calls.add(call as unknown as ServiceCall)
    calls.remove(call as unknown as ServiceCall)
    calls.finish(false)
    expect(call.warnUnawaited).toHaveBeenCalledOnce()
    await new Promise(setImmediate)
    expect(call.warnUnawaited).toHaveBeenCalledOnce()
  })
})

describe('a failure that is not awaited', () => {
  const down: typeof fetch = () => Promise.reject(new TypeError('fetch failed'))
  const noRejections = () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    onTestFinished(() => {
      process.off('unhandledRejection', unhandled)
    })
    return unhandled
  }

  it("is logged at the handler's end, and ends no process", async () => {
    const unhandled = noRejections()
    await run(
      async ({ ai }) => {
        ai.post('x')
        ai.get('y').json()
        ai.fetch('z')
        await wait(20)
      },
      { fetch: down },
    )
    await wait(5)
    expect(unhandled).not.toHaveBeenCalled()
    expect(warnings.toSorted()).toEqual([
      'A call failed and was never awaited: ai: GET /y: ERR_SERVICE_NETWORK',
      'A call failed and was never awaited: ai: GET /z: ERR_SERVICE_NETWORK',
      'A call failed and was never awaited: ai: POST /x: ERR_SERVICE_NETWORK',
    ])
  })

  it('is not logged if it is awaited late, or in another way', async () => {
    await run(
      async ({ ai }) => {
        const late = ai.post('x')
        const body = ai.get('y').json()
        const both = Promise.allSettled([ai.get('a'), ai.get('b').json()])
        await wait(20)
        await rejection(late)
        await rejection(body)
        await both
        ai.get('c').catch(() => {})
        await wait(20)
      },
      { fetch: down },
    )
    expect(warnings).toEqual([])
  })

  it("is JavaScript's own matter where the caller has passed it on", async () => {
    const unhandled = noRejections()
    const ai = createServices({ services: { ai: BASE }, credentials: IDENTITY, fetch: down, logger, retry: 0 }).ai
    ai.post('a').then(() => 'never')
    await vi.waitFor(() => expect(unhandled.mock.calls[0]?.[0]).toMatchObject({ code: 'ERR_SERVICE_NETWORK' }))
    expect(warnings).toEqual([])
  })

  it('is logged once, in however many ways it is read', async () => {
    const unhandled = noRejections()
    const cut = () => answer(new ReadableStream({ pull: (stream) => stream.error(new Error('cut')) }))
    const call = createServices({ services: { ai: BASE }, credentials: IDENTITY, fetch: cut, logger }).ai.get('x')
    call.json()
    call.text()
    await vi.waitFor(() => expect(warnings.length).toBe(1))
    await wait(20)
    expect([unhandled.mock.calls.length, warnings.length]).toEqual([0, 1])
  })

  it('is logged also where it failed after the handler had ended', async () => {
    await run(({ ai }) => void ai.post('x'), { fetch: () => wait(20).then(() => down('')), pendingCalls: 'ignore' })
    expect(warnings).toEqual([])
    const line = 'A call failed and was never awaited: ai: POST /x: ERR_SERVICE_NETWORK'
    await vi.waitFor(() => expect(warnings).toEqual([line]))
  })

  it('is logged where the deadline ended it behind a handler that was left alone', async () => {
    await run(({ ai }) => void ai.post('x'), { fetch: slow(5000), pendingCalls: 'ignore' }, 60)
    const line = 'A call failed and was never awaited: ai: POST /x: ERR_SERVICE_TIMEOUT'
    await vi.waitFor(() => expect(warnings).toEqual([line]))
  })

  it('is logged at once outside a handler, also where only the body was wrong', async () => {
    const unhandled = noRejections()
    const create = (fetch: typeof globalThis.fetch) =>
      createServices({ services: { ai: BASE }, credentials: IDENTITY, fetch, logger, retry: 0 }).ai
    create(down).post('x')
    create(() => answer('<html>'))
      .get('y')
      .json()
    await rejection(create(down).get('z'))
    await wait(30)
    expect(unhandled).not.toHaveBeenCalled()
    expect(warnings.toSorted()).toEqual([
      'A call failed and was never awaited: ai: GET /y: 200 ERR_SERVICE_RESPONSE',
      'A call failed and was never awaited: ai: POST /x: ERR_SERVICE_NETWORK',
    ])
  })

  it('is logged once, also where the caller gave a reason that is no error', async () => {
    const ai = createServices({ services: { ai: BASE }, credentials: IDENTITY, fetch: slow(500), logger }).ai
    const controller = new AbortController()
    ai.get('x', { signal: controller.signal })
    controller.abort('enough')
    await wait(20)
    expect(warnings).toEqual(['A call failed and was never awaited: ai: GET /x: ABORTED'])
    expect(details).toEqual([{ call: { service: 'ai', method: 'GET', path: '/x' } }])
  })
})

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import ky, { type Options } from 'ky'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { bindServices, createServiceFactory } from '../../src/client/create-services.ts'
import { createServices, createSignedFetch, type ServiceClient, type SignedServicesOptions } from '../../src/index.ts'
import { answer, IDENTITY, rejection, startRecorder, useGateway } from '../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const REASON = new Error('mine')

let count: number
let respond: (init: RequestInit) => Promise<Response>
beforeEach(() => {
  count = 0
})
const createClient = (options: SignedServicesOptions = {}): ServiceClient =>
  createServices({
    credentials: IDENTITY,
    fetch: (_, init = {}) => {
      count += 1
      return respond(init)
    },
    retry: { delay: () => 0 },
    ...options,
    services: { ai: BASE },
  }).ai

const never = () => new Promise<never>(() => {})
/** A body that starts and never ends, even if its signal aborts. */
const endless = () => answer(new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('half')) }))
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Bounds a promise that should have ended by itself. */
const soon = (promise: Promise<unknown>, ms = 400) =>
  Promise.race([rejection(promise), wait(ms).then(() => Promise.reject(new Error(`still pending after ${ms} ms`)))])

describe("the caller's signal ends", () => {
  it.each([
    ['get', (ai: ServiceClient, signal: AbortSignal) => ai.get('x', { signal })],
    ['fetch', (ai: ServiceClient, signal: AbortSignal) => ai.fetch('x', { signal })],
    ['fetch of a Request', (ai: ServiceClient, signal: AbortSignal) => ai.fetch(new Request(`${BASE}/x`, { signal }))],
    ['get of a Request', (ai: ServiceClient, signal: AbortSignal) => ai.get(new Request(`${BASE}/x`, { signal }))],
  ])('a body that is being read, also after a garbage collection, %s', async (_, call) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    respond = endless
    const controller = new AbortController()
    const reading = (await call(createClient(), controller.signal)).text()
    for (let round = 0; round < 5; round += 1) {
      await wait(2)
      collect()
    }
    controller.abort(REASON)
    expect(await soon(reading)).toBe(REASON)
  })

  it('a call whose hook has put another Request in its place', async () => {
    respond = never
    const controller = new AbortController()
    setTimeout(() => controller.abort(REASON), 10)
    const hooks = { beforeRequest: [({ request }: { request: Request }) => new Request(request.url)] }
    expect(await soon(createClient().get('x', { signal: controller.signal, hooks }))).toBe(REASON)
  })

  it('a body whose source does not take the news well', async () => {
    const cancel = () => Promise.reject(new Error('cannot cancel'))
    respond = () => answer(new ReadableStream({ start: (stream) => stream.enqueue(Buffer.from('half')), cancel }))
    const controller = new AbortController()
    const reading = (await createClient().get('x', { signal: controller.signal })).text()
    controller.abort(REASON)
    expect(await soon(reading)).toBe(REASON)
  })

  it('an error whose body was not read to its end', async () => {
    respond = async () => new Response((await endless()).body, { status: 500 })
    const controller = new AbortController()
    setTimeout(() => controller.abort(REASON), 10)
    expect(await soon(createClient().post('x', { signal: controller.signal }))).toBe(REASON)
  })

  it('createSignedFetch while it waits for a body or for credentials', async () => {
    const signed = (credentials: () => Promise<typeof IDENTITY>) =>
      createSignedFetch({ credentials, region: 'eu-central-1', service: 'execute-api', fetch: () => answer() })
    const signal = () => AbortSignal.timeout(10)
    const stream = { method: 'POST', body: new ReadableStream(), duplex: 'half' } as RequestInit
    expect(await soon(signed(async () => IDENTITY)(BASE, { ...stream, signal: signal() }))).toMatchObject({
      name: 'TimeoutError',
    })
    expect(await soon(signed(never)(BASE, { signal: signal() }))).toMatchObject({ name: 'TimeoutError' })
  })

  it('leaves no listener behind, however the call ends', async () => {
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    const ai = createClient({ timeout: 10 })
    const cases: [typeof respond, (ai: ServiceClient) => Promise<unknown>][] = [
      [() => answer('{}'), (client) => client.get('x', { signal }).json()],
      [() => answer(null, { status: 204 }), (client) => client.get('x', { signal })],
      [() => answer('{}'), async (client) => (await client.fetch('x', { signal })).text()],
      [() => answer('{}'), async (client) => (await client.get('x', { signal })).body?.cancel()],
      [() => answer('{}', { status: 503 }), (client) => client.get('x', { signal })],
      [() => Promise.reject(new TypeError('fetch failed')), (client) => client.get('x', { signal })],
      [endless, (client) => client.get('x', { signal }).text()],
      [endless, (client) => client.get('x', { signal }).then(() => wait(30))],
      [never, (client) => client.get('x', { signal })],
      [() => answer('{}'), (client) => client.get('../x', { signal })],
      [() => answer('{}'), (client) => client.get('x', { signal, retry: { limit: -1 } })],
    ]
    for (const [transport, call] of cases) {
      respond = transport
      await call(ai).catch(() => {})
    }
    const ours = (calls: unknown[][]) => calls.map(([, listener]) => listener)
    expect(added.mock.calls.length).toBeGreaterThan(8)
    expect(ours(removed.mock.calls)).toEqual(expect.arrayContaining(ours(added.mock.calls)))
  })
})

describe('no timer is left by', () => {
  const cases: [string, () => Promise<Response>, (ai: ServiceClient) => Promise<unknown>][] = [
    ['a response that was read', () => answer('{}'), (ai) => ai.get('x').json()],
    ['a response without a body', () => answer(null, { status: 204 }), (ai) => ai.get('x')],
    ['a small unread response', () => answer('{}'), (ai) => ai.get('x').then(() => new Promise(setImmediate))],
    ['a body that was cancelled', () => answer('{}'), async (ai) => (await ai.get('x')).body?.cancel()],
    ['a broken connection', () => Promise.reject(new TypeError('fetch failed')), (ai) => ai.post('x')],
    [
      'a body that breaks',
      () => answer(new ReadableStream({ pull: (controller) => controller.error(new Error('cut')) })),
      (ai) => ai.get('x').text(),
    ],
    ['a refused call', () => answer(), (ai) => ai.get('../x')],
  ]
  it.each(cases)('%s', async (_, transport, call) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    respond = transport
    await call(createClient()).catch(() => {})
    expect(vi.getTimerCount()).toBe(0)
  })

  it('an unread response, so that the process can end', async () => {
    const script = `
      import { createServices } from './src/index.ts'
      const fetch = async () => new Response('{}')
      const credentials = { accessKeyId: 'AKID', secretAccessKey: 's' }
      await createServices({ services: { ai: '${BASE}' }, credentials, fetch }).ai.get('x')
      console.log('done')`
    const args = ['--input-type=module', '--eval', script]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 10_000 })
    expect(stdout).toBe('done\n')
  }, 15_000)
})

describe('a hook cannot', () => {
  const hanging: [string, object, () => Promise<Response>][] = [
    ['beforeRequest', { hooks: { beforeRequest: [never] } }, () => answer()],
    ['afterResponse', { hooks: { afterResponse: [never] } }, () => answer()],
    ['beforeError', { hooks: { beforeError: [never] } }, () => answer('{}', { status: 404 })],
    ['shouldRetry', { retry: { shouldRetry: never } }, () => answer('{}', { status: 503 })],
  ]
  it.each(hanging)('hold up a call beyond its bounds: %s', async (_, options, transport) => {
    respond = transport
    const controller = new AbortController()
    setTimeout(() => controller.abort(REASON), 20)
    expect(
      await soon(
        createClient()
          .get('x', { ...options, signal: controller.signal })
          .json(),
      ),
    ).toBe(REASON)
  })

  it('keep a call that had ended before it began, with a response or without one', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    onTestFinished(() => {
      process.off('unhandledRejection', unhandled)
    })
    for (const hook of [never, () => new Response('of the hook')]) {
      const options = { signal: AbortSignal.abort(REASON), hooks: { beforeRequest: [hook] } }
      expect(await soon(createClient().get('x', options))).toBe(REASON)
    }
    await wait(5)
    expect(unhandled).not.toHaveBeenCalled()
  })

  it('delay a call with an error that cannot be printed', async () => {
    respond = () => answer('{}')
    const hooks = {
      beforeRequest: [
        () => {
          throw Object.create(null)
        },
      ],
    }
    expect(await soon(createClient().get('x', { hooks }).json())).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: 'ai: GET /x: an error without a readable message',
    })
  })

  it('put its own fetch in place of the signed one with an accessor', async () => {
    const evil = vi.fn(() => answer('evil'))
    const define = (configurable: boolean) => (options: object) => {
      Object.defineProperty(options, 'fetch', { enumerable: true, configurable, get: () => evil, set() {} })
    }
    respond = () => answer('{}')
    expect(
      await createClient()
        .get('x', { hooks: { init: [define(true)] } })
        .text(),
    ).toBe('{}')
    expect(
      await createClient()
        .get('x', { hooks: { init: [define(false)] } })
        .text(),
    ).toBe('{}')
    expect(evil).not.toHaveBeenCalled()
  })

  it.each([
    ['POST', 1],
    // Its own rule in place of ours: then there is none to allow anything.
    ['GET', 1],
  ])('have a %s sent more often than the rules allow, by what ky made of them', async (method, times) => {
    respond = () => answer('{"busy":true}', { status: 503 })
    const widen = ({ options }: { options: { retry: { limit: number; methods: string[]; shouldRetry: unknown } } }) => {
      options.retry.methods.push('post')
      options.retry.limit = 9
      options.retry.shouldRetry = () => true
    }
    const error = await rejection(createClient()('x', { method, hooks: { beforeRequest: [widen as never] } }))
    expect(error).toMatchObject({ code: 'ERR_SERVICE_RESPONSE', status: 503, attempts: times })
    expect(count).toBe(times)
  })

  it('turn a retry into another method', async () => {
    respond = () => answer('{}', { status: 503 })
    const hooks = { beforeRetry: [({ request }: { request: Request }) => new Request(request, { method: 'POST' })] }
    expect(await rejection(createClient().get('x', { hooks }))).toMatchObject({
      status: 503,
      attempts: 1,
      method: 'POST',
    })
    respond = () => Promise.reject(new TypeError('fetch failed'))
    expect(await rejection(createClient().get('x', { hooks }))).toMatchObject({
      code: 'ERR_SERVICE_NETWORK',
      attempts: 1,
    })
    expect(count).toBe(2)
  })
})

describe('what one call or invocation changes', () => {
  it('in the defaults that `extend` shows it stays its own', async () => {
    respond = () => answer('{}', { status: 503 })
    const services = createServices({
      services: { ai: BASE, other: BASE },
      credentials: IDENTITY,
      fetch: () => respond({}),
      retry: { delay: () => 0, methods: ['get'] },
    })
    services.ai.extend((parent) => {
      ;(parent.retry as { limit: number }).limit = 0
      ;(parent.retry as { methods: string[] }).methods.length = 0
      return {}
    })
    expect(await rejection(services.other.get('x'))).toMatchObject({ attempts: 3 })
  })

  it('a number of retries keeps the other limits of the service', async () => {
    respond = () => answer('{}', { status: 503 })
    const ai = createClient({ retry: { methods: ['get'], delay: () => 0 } })
    expect(await rejection(ai.put('x', { retry: 1 }))).toMatchObject({ attempts: 1 })
    expect(await rejection(ai.extend({ retry: 1 }).get('x'))).toMatchObject({ attempts: 2 })
    expect(await rejection(ai.get('x', { retry: 0 }))).toMatchObject({ attempts: 1 })
    const init = (options: Options) => {
      options.retry = 1
    }
    expect(await rejection(ai.get('x', { hooks: { init: [init] } }))).toMatchObject({ attempts: 2 })
  })
})

describe('an error has', () => {
  it('method and path of the request that was sent', async () => {
    respond = () => answer('{}', { status: 500 })
    const hooks = { beforeRequest: [() => new Request(`${BASE}/other`, { method: 'DELETE' })] }
    expect(await rejection(createClient({ retry: 0 }).get('x', { hooks }))).toMatchObject({
      method: 'DELETE',
      path: '/other',
    })
    const request = new Request(`${BASE}/mine`, { method: 'PATCH', body: 'b' })
    expect(await rejection(createClient()(request.clone()))).toMatchObject({ method: 'PATCH', path: '/mine' })
    expect(await rejection(createClient()(new Request(`${BASE}/../x`, { method: 'PUT' })))).toMatchObject({
      method: 'PUT',
    })
    respond = () => Promise.reject(new TypeError('fetch failed'))
    expect(await rejection(createClient().fetch(request))).toMatchObject({ method: 'PATCH', path: '/mine' })
  })

  it('no attempt for a request that undici would not send', async () => {
    const { url, close } = await startRecorder()
    onTestFinished(close)
    const { own } = createServices({ services: { own: url }, region: 'eu-central-1', credentials: IDENTITY })
    expect(await rejection(own.get('x', { headers: { expect: '100-continue' } }))).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      attempts: 0,
    })
  })

  it.each([null, { method: 5 }])('of wrong options, %o, as a rejection', async (options) => {
    respond = () => answer('{}', { status: 404 })
    expect(await rejection(createClient()('x', options as never))).toMatchObject({ service: 'ai' })
  })

  it('of options that cannot be read, and of no input, by the method that a call has without them', async () => {
    const options = {
      get method() {
        throw new Error('mine')
      },
    }
    const message = 'ai: GET /: mine'
    expect(await rejection(createClient()('x', options as never))).toMatchObject({ message })
    expect(await rejection(createClient()(undefined as never))).toMatchObject({
      message: 'ai: GET /: the input must be a path, a URL or a Request',
    })
  })

  it('of a Request whose body ky would lose', async () => {
    const request = new Request(`${BASE}/x`, { method: 'PATCH', body: 'b' })
    expect(await rejection(createClient()(request, { searchParams: { a: 1 } }))).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: expect.stringContaining('searchParams cannot be combined with a Request that has a body'),
    })
    respond = () => answer()
    await createClient()(new Request(`${BASE}/x?a=1`, { method: 'PATCH', body: 'b' }))
    await createClient()(new Request(`${BASE}/x`), { searchParams: { a: 1 } })
    expect(count).toBe(2)
  })
})

it('the state of a service is created once for all invocations', () => {
  const create = vi.spyOn(ky, 'create')
  onTestFinished(() => create.mockRestore())
  const { createClients, config } = createServiceFactory({ services: { ai: BASE }, credentials: IDENTITY })
  for (let count = 0; count < 3; count += 1) createClients(config.services, { readTrace: () => undefined })
  expect(create).toHaveBeenCalledOnce()
})

it("a service's retry budget counts each call, and each success", async () => {
  const budget = { deposit: vi.fn(), take: vi.fn(() => true), refill: vi.fn() }
  const options = { services: { ai: BASE }, credentials: IDENTITY, fetch: () => respond({}), retry: { delay: () => 0 } }
  const { ai } = bindServices(createServiceFactory(options, 'signedServices', () => budget)) as { ai: ServiceClient }
  respond = () => answer('{}', { status: 404 })
  await rejection(ai.get('x'))
  respond = () => Promise.reject(new TypeError('fetch failed'))
  await rejection(ai.post('x'))
  expect(budget.refill).not.toHaveBeenCalled()
  expect(budget.take).not.toHaveBeenCalled()
  respond = () => answer()
  await ai.get('x')
  await ai.fetch('x')
  const answers = [503, 503, 200]
  respond = () => answer('{}', { status: answers.shift() as number })
  await ai.get('x')
  expect(budget.refill).toHaveBeenCalledTimes(3)
  expect(budget.take).toHaveBeenCalledTimes(2)
  expect(budget.deposit).toHaveBeenCalledTimes(5)
})

it('a lone call gets as many retries as the option allows', async () => {
  respond = () => answer('{}', { status: 503 })
  const retry = { limit: 5, delay: () => 0 }
  const { ai } = createServices({
    services: { ai: { url: BASE, retry } },
    credentials: IDENTITY,
    fetch: () => respond({}),
  })
  expect(await rejection(ai.get('x'))).toMatchObject({ status: 503, attempts: 6 })
})

describe('a response', () => {
  it('keeps its URL in clones, which hooks see', async () => {
    const gateway = await useGateway({ ai: { 'GET /x': { a: 1 } } })
    const { ai } = createServices({ services: ['ai'] })
    const urls: string[] = []
    const response = await ai.get('x', {
      hooks: { afterResponse: [({ response: seen }) => void urls.push(seen.url, seen.clone().url)] },
    })
    expect([...urls, response.clone().url]).toEqual(Array.from({ length: 3 }, () => `${gateway.url}/ai/x`))
    expect(await response.clone().json()).toEqual({ a: 1 })
  })

  it('is checked for its integrity where the call asks for it', async () => {
    await useGateway({ ai: { 'GET /x': 'text' } })
    const { ai } = createServices({ services: ['ai'], retry: 0 })
    expect(await rejection(ai.get('x', { integrity: 'sha256-AAAA' }))).toMatchObject({ code: 'ERR_SERVICE_NETWORK' })
  })

  it('nests as deep as it likes', async () => {
    respond = () =>
      answer('['.repeat(20_000) + ']'.repeat(20_000), { status: 400, headers: { 'content-type': 'application/json' } })
    expect(await rejection(createClient().post('x'))).toMatchObject({ code: 'ERR_SERVICE_RESPONSE', status: 400 })
  })

  it("stays as the caller's own parser returned it", async () => {
    respond = () => answer('{}', { status: 400, headers: { 'content-type': 'application/json' } })
    const data = { at: new Date(0), map: new Map([[1, 2]]) }
    expect(await rejection(createClient().post('x', { parseJson: () => data }))).toMatchObject({ data })
  })
})

it('.fetch takes a Request as its options, as the built-in one does', async () => {
  const sent: [string | undefined, string][] = []
  const controller = new AbortController()
  respond = async (init) => {
    sent.push([init.method, Buffer.from(init.body as Uint8Array).toString()])
    return answer('{}')
  }
  const options = () => new Request(BASE, { method: 'POST', body: 'mine', signal: controller.signal })
  await createClient().fetch('x', options())
  await createSignedFetch({
    credentials: IDENTITY,
    region: 'eu-central-1',
    service: 'execute-api',
    fetch: (_, init = {}) => respond(init),
  })(`${BASE}/x`, options())
  expect(sent).toEqual([
    ['POST', 'mine'],
    ['POST', 'mine'],
  ])
  respond = never
  const call = createClient().fetch('x', options())
  controller.abort(REASON)
  expect(await soon(call)).toBe(REASON)
})

it('.fetch of an extended client has its headers and timeout', async () => {
  let headers: Headers | undefined
  respond = (init) => {
    headers = new Headers(init.headers)
    return never()
  }
  const extended = createClient().extend({ headers: { 'X-T': '1' }, timeout: 20 })
  expect(await soon(extended.fetch('x'))).toMatchObject({ name: 'ServiceTimeoutError', timeoutMs: 20 })
  expect(headers?.get('x-t')).toBe('1')
})

describe('.fetch of an extended client', () => {
  it('ends at its totalTimeout', async () => {
    respond = never
    const extended = createClient().extend({ totalTimeout: 20 })
    expect(await soon(extended.fetch('x'))).toMatchObject({ name: 'ServiceTimeoutError', timeoutMs: 20 })
  })

  it.each<[string, (ai: ServiceClient, own: AbortSignal) => Promise<Response>]>([
    ['alone', (ai) => ai.fetch('x')],
    ['beside a signal of the call', (ai, signal) => ai.fetch('x', { signal })],
    ['beside the signal of a Request', (ai, signal) => ai.fetch(new Request(`${BASE}/x`, { signal }))],
  ])('follows its signal, %s', async (_, send) => {
    respond = never
    const controller = new AbortController()
    const call = send(createClient().extend({ signal: controller.signal }), new AbortController().signal)
    controller.abort(new Error('shut down'))
    expect(await soon(call)).toMatchObject({ message: 'shut down' })
  })

  it("follows the call's signal beside its own", async () => {
    respond = never
    const controller = new AbortController()
    const call = createClient()
      .extend({ signal: new AbortController().signal })
      .fetch('x', { signal: controller.signal })
    controller.abort(new Error('no longer needed'))
    expect(await soon(call)).toMatchObject({ message: 'no longer needed' })
  })
})

it("a call's own header replaces the service's in any spelling, and can take it away", async () => {
  const seen: (string | null)[] = []
  respond = (init) => {
    seen.push(new Headers(init.headers).get('x-team'))
    return answer()
  }
  const ai = createClient({ headers: { 'X-Team': 'service' } })
  await ai.get('x', { headers: { 'x-team': 'call' } })
  await ai.get('x', { headers: { 'X-TEAM': 'call' } })
  await ai.get('x', { headers: new Headers({ 'x-Team': 'call' }) })
  await ai.fetch('x', { headers: { 'X-team': 'call' } })
  await ai.get('x', { headers: { 'x-team': undefined } })
  expect(seen).toEqual(['call', 'call', 'call', 'call', null])
})

import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Fetch, sendByFetch } from '../../../src/transport/fetch-transport.ts'
import { ready, send, unlessAborted } from '../../../src/transport/index.ts'
import { replacedFetch } from '../../../src/transport/replaced-fetch.ts'
import { answer, rejection } from '../../support/helpers.ts'
import { type CallOptions, startService, toTarget, turn, useAbort } from './loopback.ts'

const FIRST = Symbol.for('undici.globalDispatcher.1')
const SECOND = Symbol.for('undici.globalDispatcher.2')
const globals = globalThis as { [FIRST]?: unknown; [SECOND]?: unknown }

const toFailure = (error: unknown) => new Error('the failure', { cause: error })

function callBy(
  fetch: Fetch,
  { signal = new AbortController().signal, ...options }: CallOptions = {},
  init?: RequestInit,
) {
  const { method = 'GET', headers = {}, body } = options
  const content = typeof body === 'string' ? { body: new TextEncoder().encode(body), text: body } : { body }
  const request = { method, url: toTarget('https://h.example/x?q'), headers, ...content }
  return sendByFetch(fetch, request, { signal, toError: toFailure }, init)
}

/** A response that starts, and then waits for `fail` or for ever. */
function createHalf() {
  let fail!: (error: unknown) => void
  const cancel = vi.fn()
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from('half'))
      fail = (error) => controller.error(error)
    },
    cancel,
  })
  return { fetch: () => answer(stream), fail, cancel }
}

describe('sendByFetch', () => {
  it('passes the request to a fetch, with the additional options', async () => {
    const fetch = vi.fn<Fetch>(() => answer())
    const { signal } = useAbort()
    const headers = { 'content-type': 'a/b', 'x-a': '1' }
    const init = { integrity: 'sha256-AAAA', redirect: 'follow', method: 'GET', body: 'other' } as const
    await callBy(fetch, { method: 'POST', headers, body: '{}', signal }, init)
    const [input, given] = fetch.mock.calls[0] as [string, RequestInit]
    expect(input).toBe('https://h.example/x?q')
    expect(given).toMatchObject({ method: 'POST', redirect: 'manual', integrity: 'sha256-AAAA' })
    expect(given.signal).toBe(signal)
    expect(given.headers).toEqual(new Headers(headers))
    expect(given.body).toBe('{}')
    const bytes = new Uint8Array([1, 2])
    await callBy(fetch, { method: 'POST', body: bytes })
    expect(fetch.mock.calls[1]?.[1]?.body).toBe(bytes)
    await callBy(fetch)
    expect(fetch.mock.calls[2]?.[1]).toMatchObject({ method: 'GET', body: null })
  })

  it('gives its response, the URL of the request where it has none', async () => {
    const response = await callBy(() => answer('text', { status: 418, statusText: 'Teapot', headers: { 'x-a': '1' } }))
    const { status, statusText, url, headers, bodyUsed } = response
    expect({ status, statusText, url, bodyUsed, 'x-a': headers.get('x-a') }).toEqual({
      status: 418,
      statusText: 'Teapot',
      url: 'https://h.example/x?q',
      bodyUsed: false,
      'x-a': '1',
    })
    expect(await response.text()).toBe('text')
    const redirected = Object.defineProperty(new Response(null, { status: 204 }), 'url', {
      value: 'https://i.example/',
    })
    const empty = await callBy(async () => redirected)
    expect([empty.url, empty.status, empty.body, await empty.text()]).toEqual(['https://i.example/', 204, null, ''])
  })

  it('takes a response that is no promise, and of another realm', async () => {
    const { status, headers, body } = new Response('text')
    const foreign = { status, statusText: '', headers: Object.fromEntries(headers), body, url: '', bodyUsed: false }
    const response = await callBy((() => foreign) as never)
    expect(response.headers).toEqual(headers)
    expect(await response.text()).toBe('text')
  })

  it('takes a response whose body is a stream of Node.js, as node-fetch has it', async () => {
    const body = Readable.from([Buffer.from('te'), Buffer.from('xt')])
    const foreign = { status: 200, statusText: '', headers: new Headers(), body, url: '', bodyUsed: false }
    expect(await (await callBy((() => foreign) as never)).text()).toBe('text')
  })

  it('reads a large body whole, as it comes', async () => {
    const bytes = Uint8Array.from({ length: 3_000_000 }, (_, at) => at % 251)
    let at = 0
    const stream = new ReadableStream({
      pull(controller) {
        if (at >= bytes.length) return controller.close()
        controller.enqueue(bytes.slice(at, at + 70_000))
        at += 70_000
      },
    })
    const response = await callBy(() => answer(stream))
    await turn()
    expect(at).toBeLessThan(bytes.length)
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
  })

  it.each([
    ['rejects', () => Promise.reject(new TypeError('fetch failed'))],
    [
      'throws',
      () => {
        throw new TypeError('fetch failed')
      },
    ],
  ])('fails as a fetch does that %s', async (_, fetch) => {
    const { signal } = useAbort()
    expect(await rejection(callBy(fetch, { signal }))).toMatchObject({ name: 'TypeError', message: 'fetch failed' })
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  const read = async () => {
    const response = new Response('text')
    await response.text()
    return response
  }
  const locked = async () => {
    const response = new Response('text')
    response.body?.getReader()
    return response
  }
  it.each([
    ['undefined', async () => undefined, 'something other than a Response'],
    ['null', async () => null, 'something other than a Response'],
    ['text', async () => 'text', 'something other than a Response'],
    ['a plain object', async () => ({ ok: true, json: async () => ({}) }), 'something other than a Response'],
    [
      'an object without a status',
      async () => ({ headers: new Headers(), body: null }),
      'something other than a Response',
    ],
    ['an object without headers', async () => ({ status: 200, body: null }), 'something other than a Response'],
    [
      'an object with null for its headers',
      async () => ({ status: 200, headers: null, body: null }),
      'something other than a Response',
    ],
    [
      'an object with a text',
      async () => ({ status: 200, headers: new Headers(), body: 'text' }),
      'something other than a Response',
    ],
    [
      'an object with an object',
      async () => ({ status: 200, headers: new Headers(), body: {} }),
      'something other than a Response',
    ],
    [
      'an object without a body',
      async () => ({ status: 200, headers: new Headers() }),
      'something other than a Response',
    ],
    ['a Response that was read', read, 'whose body has already been read'],
    ['a Response that is locked', locked, 'whose body has already been read'],
  ])('says so where a fetch gives %s', async (_, fetch, message) => {
    const error = (await rejection(callBy(fetch as never))) as Error
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(message)
  })

  it('calls no fetch for a signal that has aborted', async () => {
    const fetch = vi.fn<Fetch>(() => answer())
    const { signal, reason, abort } = useAbort()
    abort()
    expect(await rejection(callBy(fetch, { signal }))).toBe(reason)
    expect(fetch).not.toHaveBeenCalled()
  })

  it('ends with the signal, although the fetch does not', async () => {
    const { signal, reason, abort } = useAbort()
    const call = callBy(() => new Promise(() => {}), { signal })
    abort()
    expect(await rejection(call)).toBe(reason)
  })

  it.each([
    ['whole', (response: Response) => response.text()],
    ['as a stream', (response: Response) => response.blob()],
  ])('ends a body with the signal, and cancels that of the fetch, %s', async (_, read) => {
    const { fetch, cancel } = createHalf()
    const { signal, reason, abort } = useAbort()
    const response = await callBy(fetch, { signal })
    const reading = rejection(read(response))
    await nextTurn()
    abort()
    expect(await reading).toMatchObject({ message: 'the failure', cause: reason })
    expect(cancel).toHaveBeenCalledExactlyOnceWith(reason)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it.each([0, 1])('ends an unread body, after %d turns', async (turns) => {
    const { fetch, cancel } = createHalf()
    const { signal, reason, abort } = useAbort()
    const response = await callBy(fetch, { signal })
    for (let turn = 0; turn < turns; turn += 1) await nextTurn()
    abort()
    expect(cancel).toHaveBeenCalledExactlyOnceWith(reason)
    expect(await rejection(response.text())).toMatchObject({ message: 'the failure' })
  })

  it('ends with a signal that aborts while the response is on its way to the caller', async () => {
    for (let steps = 0; steps < 10; steps += 1) {
      const { fetch, cancel } = createHalf()
      const { signal, reason, abort } = useAbort()
      const answerAndAbort = async () => {
        const response = await fetch()
        const step = (left: number) => (left === 0 ? abort() : queueMicrotask(() => step(left - 1)))
        step(steps)
        return response
      }
      const call = callBy(answerAndAbort, { signal })
      const failure = await call.then(
        (response) => rejection(response.text()),
        (error: unknown) => ({ cause: error }),
      )
      expect(failure).toMatchObject({ cause: reason })
      expect(cancel.mock.calls.length).toBeLessThanOrEqual(1)
    }
  })

  it.each([0, 1])('cancels the body of the fetch with its own, after %d turns', async (turns) => {
    const { fetch, cancel } = createHalf()
    const { signal } = useAbort()
    const response = await callBy(fetch, { signal })
    for (let turn = 0; turn < turns; turn += 1) await nextTurn()
    await response.body?.cancel()
    await turn()
    expect(cancel).toHaveBeenCalledOnce()
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('lets a body break off as that of the fetch does, and takes it ill if that cannot be cancelled', async () => {
    const { fetch, fail } = createHalf()
    const { signal } = useAbort()
    const reading = rejection((await callBy(fetch, { signal })).text())
    await nextTurn()
    const reason = new Error('cut off')
    fail(reason)
    expect(await reading).toMatchObject({ message: 'the failure', cause: reason })
    expect(getEventListeners(signal, 'abort')).toEqual([])
    const stubborn = new ReadableStream({ cancel: () => Promise.reject(new Error('cannot cancel')) })
    const response = await callBy(() => answer(stubborn))
    await response.body?.cancel()
    await turn()
  })

  it('keeps nothing of a call that has ended', async () => {
    const { signal, abort } = useAbort()
    const [response, unread] = [
      await callBy(() => answer('a'), { signal }),
      await callBy(() => answer('b'), { signal }),
    ]
    expect(await response.text()).toBe('a')
    await turn()
    expect(getEventListeners(signal, 'abort')).toEqual([])
    abort()
    expect(await unread.text()).toBe('b')
  })
})

describe('unlessAborted', () => {
  it('settles as the promise does, and leaves nothing on the signal', async () => {
    const { signal } = useAbort()
    expect(await unlessAborted(Promise.resolve('value'), signal)).toBe('value')
    expect(await rejection(unlessAborted(Promise.reject(new Error('why')), signal))).toMatchObject({ message: 'why' })
    await nextTurn()
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('rejects with the reason of the signal, whether it has aborted or does', async () => {
    const { signal, reason, abort } = useAbort()
    const waiting = unlessAborted(new Promise(() => {}), signal)
    abort()
    expect(await rejection(waiting)).toBe(reason)
    expect(await rejection(unlessAborted(new Promise(() => {}), signal))).toBe(reason)
    expect(await rejection(unlessAborted(Promise.reject(new Error('unheard')), signal))).toBe(reason)
  })
})

function stubFetch(fetch: Fetch = () => answer()): Fetch {
  vi.stubGlobal('fetch', fetch)
  onTestFinished(() => {
    vi.unstubAllGlobals()
  })
  return fetch
}

function setDispatchers(first: unknown, second: unknown): void {
  const before = [globals[FIRST], globals[SECOND]]
  globals[FIRST] = first
  globals[SECOND] = second
  onTestFinished(() => {
    ;[globals[FIRST], globals[SECOND]] = before
  })
}

/** The module as a process has it in which `first` and `second` stood before. */
async function importFresh(first: unknown, second: unknown) {
  setDispatchers(first, second)
  vi.resetModules()
  return import('../../../src/transport/replaced-fetch.ts')
}

describe('global fetch sends', () => {
  it('nothing where it is as Node.js made it', () => {
    expect(replacedFetch()).toBeUndefined()
  })

  it('where it was replaced, until it is put back', () => {
    const stub = stubFetch()
    expect(replacedFetch()).toBe(stub)
    vi.unstubAllGlobals()
    expect(replacedFetch()).toBeUndefined()
    const builtIn = fetch
    const wrapper = stubFetch((input, init) => builtIn(input, init))
    expect(replacedFetch()).toBe(wrapper)
  })

  it('where it was replaced by one that looks like the built-in one of elsewhere', () => {
    const stub = stubFetch(Object.assign(() => answer(), { toString: () => 'function fetch() { [native code] }' }))
    expect(replacedFetch()).toBe(stub)
  })

  it('and is looked at once', () => {
    const asText = vi.fn(() => 'another')
    stubFetch(Object.assign(() => answer(), { toString: asText }))
    replacedFetch()
    replacedFetch()
    expect(asText).toHaveBeenCalledOnce()
  })

  class MockAgent {}
  class Agent {}

  it.each([
    ['is a mock', () => new MockAgent()],
    ['is another agent', () => new Agent()],
    ['is none', () => ({ dispatch() {} })],
  ])('where a global dispatcher %s, until it is put back', (_, make) => {
    const [first, second] = [globals[FIRST], globals[SECOND]]
    for (const [one, other] of [
      [make(), make()],
      [make(), second],
      [first, make()],
    ]) {
      setDispatchers(one, other)
      expect(replacedFetch()).toBe(fetch)
      setDispatchers(first, second)
      expect(replacedFetch()).toBeUndefined()
    }
  })

  it('nothing where a version of undici has wrapped the dispatcher for an older one', () => {
    setDispatchers(new (class Dispatcher1Wrapper {})(), globals[SECOND])
    expect(replacedFetch()).toBeUndefined()
  })

  it.each([
    ['a mock, in the newer place', undefined, new MockAgent()],
    ['a mock, in the older place', new MockAgent(), undefined],
    ['a mock, in one place', new MockAgent(), new Agent()],
    ['a plain object', { dispatch() {} }, undefined],
  ])('where the global dispatcher was %s before the package was loaded', async (_, first, second) => {
    const fresh = await importFresh(first, second)
    expect(fresh.replacedFetch()).toBe(fetch)
  })

  it.each([
    ['an Agent', new Agent(), new Agent()],
    ['one Agent', new Agent(), undefined],
    ['none', undefined, undefined],
  ])('nothing where the global dispatcher was %s before the package was loaded', async (_, first, second) => {
    const fresh = await importFresh(first, second)
    expect(fresh.replacedFetch()).toBeUndefined()
  })
})

describe('send and ready', () => {
  const options = () => ({ signal: useAbort().signal, toError: toFailure })

  async function callAt(url: string, others: { readonly fetch?: Fetch; readonly init?: RequestInit } = {}) {
    const response = await send(
      { method: 'GET', url: toTarget(url), headers: {}, body: undefined },
      { ...options(), ...others },
    )
    return response.text()
  }

  it("use Node.js's own client", async () => {
    const service = await startService()
    const builtIn = vi.spyOn(globalThis, 'fetch')
    const text = fetch.toString()
    expect(text).not.toContain('internal/deps')
    builtIn.mockRestore()
    expect(await callAt(service.url)).toBe('{}')
    expect(service.seen[0]?.headers['user-agent']).toBe('middy-signed-services')
    await new Promise((resolve) => setTimeout(resolve, 25))
    expect(ready({})).toBeInstanceOf(Promise)
  })

  it('use a fetch that is given, the built-in one too', async () => {
    const service = await startService()
    expect(await callAt(service.url, { fetch: () => answer('given') })).toBe('given')
    expect(await callAt(service.url, { fetch })).toBe('{}')
    expect(service.seen.map(({ headers }) => headers['user-agent'])).toEqual(['node'])
    await new Promise((resolve) => setTimeout(resolve, 25))
    expect(ready({ fetch })).toBeUndefined()
  })

  it('use a global fetch that was replaced, at each call', async () => {
    const service = await startService()
    stubFetch(() => answer('stub'))
    expect(await callAt(service.url)).toBe('stub')
    await new Promise((resolve) => setTimeout(resolve, 25))
    expect(ready({})).toBeUndefined()
    vi.unstubAllGlobals()
    expect(await callAt(service.url)).toBe('{}')
  })

  it.each([
    ['dispatcher', { dispatcher: (globals[SECOND] ?? globals[FIRST]) as NonNullable<RequestInit['dispatcher']> }],
    ['integrity', { integrity: 'sha256-RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=' }],
  ])('use global fetch for what only that knows: %s', async (_, init: RequestInit) => {
    const service = await startService()
    expect(await callAt(service.url, { init })).toBe('{}')
    expect(service.seen[0]?.headers['user-agent']).toBe('node')
    await new Promise((resolve) => setTimeout(resolve, 25))
    expect(ready({ init })).toBeUndefined()
    expect(await callAt(service.url, { init: { mode: 'cors' } })).toBe('{}')
    expect(service.seen[1]?.headers['user-agent']).toBe('middy-signed-services')
  })
})

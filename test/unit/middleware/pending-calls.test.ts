import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ServiceCall } from '../../../src/client/index.ts'
import type { PendingCallsOption } from '../../../src/config/index.ts'
import { ServiceTimeoutError } from '../../../src/errors/index.ts'
import { PendingCalls } from '../../../src/middleware/pending-calls.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** A call that does nothing but record what it is told. */
function createCall(method: string, path = '/x') {
  const told: string[] = []
  const call = {
    service: 'ai',
    method,
    path,
    failure: undefined as unknown,
    hasListener: false,
    told,
    abortAtHandlerEnd: () => void told.push('abort'),
    markNamedInWarning: () => void told.push('named'),
    warnUnawaited: () => void told.push('unawaited'),
  }
  return call as typeof call & ServiceCall
}

/** The calls of one invocation, all of them pending. */
function start(option: PendingCallsOption, ...methods: string[]) {
  const warn = vi.fn()
  const pending = new PendingCalls(option, warn)
  const calls = methods.map((method) => createCall(method))
  for (const call of calls) pending.add(call)
  return { warn, pending, calls: calls as [ReturnType<typeof createCall>] }
}

/** Whether a promise has settled by the next turn of the event loop. */
async function hasEnded(promise: Promise<void> | undefined) {
  let ended = false
  promise?.then(() => {
    ended = true
  })
  await nextTurn()
  await nextTurn()
  return ended
}

const timeout = (deadline: boolean) =>
  new ServiceTimeoutError({ service: 'ai', method: 'POST', path: '/x', attempts: 1 }, 'late', {
    timeoutMs: 1,
    deadline,
  })

describe('at the end of a handler,', () => {
  it.each(['GET', 'HEAD', 'OPTIONS', 'QUERY'])('a pending %s call is aborted at once, and named', (method) => {
    const { warn, pending, calls } = start(1000, method)
    expect(pending.finish(false)).toBeUndefined()
    expect(calls[0].told).toEqual(['abort'])
    expect(warn.mock.calls).toEqual([
      [
        `Calls were still pending when the handler ended: ai ${method} /x (aborted). Await each call in the handler.`,
        { calls: [{ service: 'ai', method, path: '/x', end: 'aborted' }] },
      ],
    ])
  })

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('a pending %s call may finish, and is named', async (method) => {
    const { warn, pending, calls } = start(1000, method)
    const end = pending.finish(false)
    expect(await hasEnded(end)).toBe(false)
    pending.remove(calls[0])
    expect(await hasEnded(end)).toBe(true)
    expect(calls[0].told).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
    expect(warn.mock.calls).toEqual([
      [
        `Calls were still pending when the handler ended: ai ${method} /x (finished). Await each call in the handler.`,
        { calls: [{ service: 'ai', method, path: '/x', end: 'finished' }] },
      ],
    ])
  })

  it('nothing is said of a call that has ended, and nothing is waited for', () => {
    const { warn, pending, calls } = start(1000, 'POST')
    pending.remove(calls[0])
    expect(pending.finish(false)).toBeUndefined()
    expect(warn).not.toHaveBeenCalled()
    expect(calls[0].told).toEqual([])
  })

  it.each<[string, unknown, string, string[]]>([
    ['an error', new Error('x'), 'failed', []],
    ['its own timeout', timeout(false), 'failed', []],
    ['the deadline', timeout(true), 'aborted', ['named']],
  ])('a call that ends by %s meanwhile is named so', async (_, failure, end, told) => {
    const { warn, pending, calls } = start(1000, 'POST')
    const wait = pending.finish(false)
    pending.remove(Object.assign(calls[0], { failure }))
    await wait
    expect(warn.mock.lastCall?.[1]).toEqual({ calls: [{ service: 'ai', method: 'POST', path: '/x', end }] })
    expect(calls[0].told).toEqual([...told, 'unawaited'])
  })

  it('calls are aborted after the milliseconds of the option', async () => {
    const { warn, pending, calls } = start(1000, 'POST')
    const wait = pending.finish(false)
    vi.advanceTimersByTime(999)
    expect(await hasEnded(wait)).toBe(false)
    vi.advanceTimersByTime(1)
    expect(await hasEnded(wait)).toBe(true)
    expect(calls[0].told).toEqual(['abort'])
    pending.remove(calls[0])
    expect(warn.mock.calls.map(([, { calls: named }]) => named)).toEqual([
      [{ service: 'ai', method: 'POST', path: '/x', end: 'aborted' }],
    ])
  })

  it('no timer limits `await`', () => {
    const { pending } = start('await', 'POST')
    expect(pending.finish(false)).toBeInstanceOf(Promise)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('all calls are waited for, also one that starts when another has ended', async () => {
    const { pending, calls } = start('await', 'POST', 'PUT')
    const wait = pending.finish(false)
    const [first, second, third] = [...calls, createCall('PATCH')] as ReturnType<typeof createCall>[]
    pending.remove(first as ServiceCall)
    expect(await hasEnded(wait)).toBe(false)
    pending.remove(second as ServiceCall)
    pending.add(third as ServiceCall)
    expect(await hasEnded(wait)).toBe(false)
    pending.remove(third as ServiceCall)
    expect(await hasEnded(wait)).toBe(true)
    expect([first, second, third].map((call) => call?.told)).toEqual([[], [], []])
  })

  it.each<[string, PendingCallsOption, boolean]>([
    ['the option says `ignore`', 'ignore', false],
    ['the response is streamed', 1000, true],
  ])('calls are left alone if %s', async (_, option, isStreamed) => {
    const { warn, pending, calls } = start(option, 'GET', 'POST')
    expect(pending.finish(isStreamed)).toBeUndefined()
    const late = createCall('GET')
    pending.add(late)
    for (const call of [...calls, late]) pending.remove(call)
    expect([...calls, late].map(({ told }) => told)).toEqual([[], [], []])
    expect(warn).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('a second end does nothing', () => {
    const { warn, pending, calls } = start('ignore', 'GET')
    pending.finish(false)
    pending.remove(Object.assign(calls[0], { failure: new Error('x') }))
    expect(pending.finish(false)).toBeUndefined()
    expect(calls[0].told).toEqual([])
    expect(warn).not.toHaveBeenCalled()
  })
})

describe('a call that starts after the end of its handler', () => {
  it('is aborted if it only reads, and is waited for if it writes, while others are waited for', async () => {
    const { pending, calls } = start('await', 'POST')
    const wait = pending.finish(false)
    const [read, write] = [createCall('GET'), createCall('DELETE')]
    pending.add(read)
    pending.add(write)
    expect([read.told, write.told]).toEqual([['abort'], []])
    pending.remove(calls[0])
    expect(await hasEnded(wait)).toBe(false)
    pending.remove(write)
    expect(await hasEnded(wait)).toBe(true)
  })

  it.each(['GET', 'POST'])('is aborted once nothing is waited for: %s', (method) => {
    const { pending } = start(1000)
    pending.finish(false)
    const late = createCall(method)
    pending.add(late)
    expect(late.told).toEqual(['abort'])
  })

  it.each(['GET', 'POST'])('is not aborted during the handler: %s', (method) => {
    expect(start(1000, method).calls[0].told).toEqual([])
  })
})

describe('the failure of a call', () => {
  const fail = (hasListener: boolean) => {
    const { pending, calls } = start(1000, 'POST')
    const [call] = calls
    Object.assign(call, { failure: new Error('x'), hasListener })
    pending.remove(call)
    return { pending, call }
  }

  it('may be awaited until the handler ends; then it is reported once', async () => {
    const { pending, call } = fail(false)
    await nextTurn()
    expect(call.told).toEqual([])
    pending.finish(false)
    expect(call.told).toEqual(['unawaited'])
    await nextTurn()
    expect(call.told).toEqual(['unawaited'])
  })

  it('is reported once if the handler ends in the same turn', async () => {
    const { pending, call } = fail(false)
    pending.finish(false)
    await nextTurn()
    expect(call.told).toEqual(['unawaited'])
  })

  it('is not watched until the end if it has a listener', async () => {
    const { pending, call } = fail(true)
    await nextTurn()
    call.told.length = 0
    pending.finish(false)
    expect(call.told).toEqual([])
  })

  it('is reported in the next turn if the handler has ended', async () => {
    const { pending, calls } = start('ignore', 'POST')
    pending.finish(false)
    pending.remove(Object.assign(calls[0], { failure: new Error('x') }))
    expect(calls[0].told).toEqual([])
    await nextTurn()
    expect(calls[0].told).toEqual(['unawaited'])
  })

  it('is not reported where there is none', async () => {
    const { pending, calls } = start('ignore', 'POST')
    pending.remove(calls[0])
    pending.finish(false)
    await nextTurn()
    expect(calls[0].told).toEqual([])
  })
})

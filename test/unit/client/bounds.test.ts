import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AttemptBounds, CallBounds } from '../../../src/client/bounds.ts'
import type { FailingCall } from '../../../src/errors/index.ts'

const callOf = (own: Partial<FailingCall> = {}) =>
  ({ service: 'ai', method: 'GET', path: '/x', attempts: 1, timeout: false, ...own }) as FailingCall

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the bounds of a call', () => {
  it('leave no time once the total timeout has passed, to the millisecond', () => {
    const bounds = new CallBounds(callOf())
    bounds.start({ timeout: false, totalTimeout: 100 })
    vi.advanceTimersByTime(99)
    expect(bounds.remaining).toBe(1)
    bounds.check()
    expect(bounds.signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(bounds.remaining).toBe(0)
    expect(() => bounds.check()).toThrow('ai: GET /x: no complete response within 100 ms')
    expect(bounds.signal.reason).toMatchObject({ name: 'ServiceTimeoutError', timeoutMs: 100, deadline: false })
  })

  it('leave no time once the deadline has come', () => {
    let left = 1
    const bounds = new CallBounds(callOf(), () => left)
    bounds.check()
    left = 0
    expect(() => bounds.check()).toThrow("no complete response within the 1 ms left before the invocation's deadline")
  })

  it('remove timers and listeners when the last user has released them', () => {
    const caller = new AbortController()
    const bounds = new CallBounds(callOf(), () => 1000)
    bounds.start({ signal: caller.signal, timeout: false, totalTimeout: 100 })
    const count = () => [vi.getTimerCount(), getEventListeners(caller.signal, 'abort').length]
    bounds.hold()
    bounds.release()
    expect(count()).toEqual([2, 1])
    bounds.release()
    expect(count()).toEqual([0, 0])
  })
})

describe('the bounds of an attempt', () => {
  it.each(['call', 'second'] as const)('end it with the signal of the %s', (ending) => {
    const [call, second] = [new AbortController(), new AbortController()]
    const bounds = new AttemptBounds(callOf({ signal: call.signal }), undefined, second.signal)
    ;(ending === 'call' ? call : second).abort('reason')
    expect(bounds.signal.reason).toBe('reason')
  })

  it('end it after the timeout, also after the head of the response', () => {
    const bounds = new AttemptBounds(
      callOf({ signal: new AbortController().signal, timeout: 50 }),
      undefined,
      undefined,
    )
    vi.advanceTimersByTime(49)
    bounds.headArrived()
    expect(bounds.signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(bounds.signal.reason).toMatchObject({ timeoutMs: 50, deadline: false })
  })

  it('end it after the idle timeout without a head, but not after the head', () => {
    const create = () => new AttemptBounds(callOf({ signal: new AbortController().signal }), 20, undefined)
    const [silent, answered] = [create(), create()]
    vi.advanceTimersByTime(19)
    answered.headArrived()
    vi.advanceTimersByTime(1)
    expect(silent.signal.reason).toMatchObject({ timeoutMs: 20, deadline: false })
    expect(answered.signal.aborted).toBe(false)
    answered.idle?.expire()
    expect(answered.idle?.ms).toBe(20)
    expect(answered.signal.reason).toMatchObject({ timeoutMs: 20, deadline: false })
  })

  it('leave neither timer nor listener behind', () => {
    const [call, second] = [new AbortController(), new AbortController()]
    const bounds = new AttemptBounds(callOf({ signal: call.signal, timeout: 50 }), 20, second.signal)
    expect(vi.getTimerCount()).toBe(2)
    bounds.end()
    expect(vi.getTimerCount()).toBe(0)
    expect([call, second].flatMap(({ signal }) => getEventListeners(signal, 'abort'))).toEqual([])
  })
})

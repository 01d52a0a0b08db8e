import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createCallBounds } from '../../../src/client/bounds.ts'
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
    const bounds = createCallBounds(callOf())
    bounds.start({ timeout: false, totalTimeout: 100 })
    vi.advanceTimersByTime(99)
    expect(bounds.remaining()).toBe(1)
    bounds.check()
    expect(bounds.signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(bounds.remaining()).toBe(0)
    expect(() => bounds.check()).toThrow('ai: GET /x: no complete response within 100 ms')
    expect(bounds.signal.reason).toMatchObject({ name: 'ServiceTimeoutError', timeoutMs: 100, deadline: false })
  })

  it('leave no time once the deadline has come', () => {
    let left = 1
    const bounds = createCallBounds(callOf(), () => left)
    bounds.check()
    left = 0
    expect(() => bounds.check()).toThrow("no complete response within the 1 ms left before the invocation's deadline")
  })

  it('remove timers and listeners when the call and its last attempt have ended', () => {
    const caller = new AbortController()
    const bounds = createCallBounds(callOf(), () => 1000)
    bounds.start({ signal: caller.signal, timeout: false, totalTimeout: 100 })
    const count = () => [vi.getTimerCount(), getEventListeners(caller.signal, 'abort').length]
    const attempt = bounds.startAttempt(undefined, undefined)
    bounds.end()
    expect(count()).toEqual([2, 1])
    attempt.end()
    expect(count()).toEqual([0, 0])
  })
})

describe('the bounds of an attempt', () => {
  it('end it with its call', () => {
    const bounds = createCallBounds(callOf())
    const { signal } = bounds.startAttempt(undefined, undefined)
    const reason = new Error('the call')
    bounds.abort(reason)
    expect(signal.reason).toBe(reason)
  })

  it('end it with a second signal, but not its call', () => {
    const second = new AbortController()
    const bounds = createCallBounds(callOf())
    const { signal } = bounds.startAttempt(undefined, second.signal)
    second.abort('reason')
    expect(signal.reason).toBe('reason')
    expect(bounds.signal.aborted).toBe(false)
  })

  it('end it after the timeout, also after the head of the response', () => {
    const { signal, headArrived } = createCallBounds(callOf({ timeout: 50 })).startAttempt(undefined, undefined)
    vi.advanceTimersByTime(49)
    headArrived()
    expect(signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(signal.reason).toMatchObject({ timeoutMs: 50, deadline: false })
  })

  it('end it after the idle timeout without a head, but not after the head', () => {
    const bounds = createCallBounds(callOf())
    const [silent, answered] = [bounds.startAttempt(20, undefined), bounds.startAttempt(20, undefined)]
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
    const second = new AbortController()
    const bounds = createCallBounds(callOf({ timeout: 50 }))
    const attempt = bounds.startAttempt(20, second.signal)
    expect(vi.getTimerCount()).toBe(2)
    attempt.end()
    expect(vi.getTimerCount()).toBe(0)
    expect([bounds, second].flatMap(({ signal }) => getEventListeners(signal, 'abort'))).toEqual([])
  })
})

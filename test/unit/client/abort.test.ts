import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { forwardAbort, sleep } from '../../../src/client/abort.ts'

const listenersOf = ({ signal }: AbortController) => getEventListeners(signal, 'abort')

describe('forwardAbort', () => {
  it('aborts with the reason of the source that aborts first', () => {
    const [a, b, target] = [new AbortController(), new AbortController(), new AbortController()]
    for (const { signal } of [a, b]) forwardAbort(signal, target)
    expect(target.signal.aborted).toBe(false)
    b.abort('b')
    a.abort('a')
    expect(target.signal.reason).toBe('b')
    expect([a, b].flatMap(listenersOf)).toEqual([])
  })

  it('aborts at once with a source that has aborted', () => {
    const target = new AbortController()
    forwardAbort(AbortSignal.abort('early'), target)
    expect(target.signal.reason).toBe('early')
  })

  it('stops on request, and leaves no listener behind', () => {
    const [source, target] = [new AbortController(), new AbortController()]
    const stop = forwardAbort(source.signal, target)
    expect(listenersOf(source)).toHaveLength(1)
    stop()
    expect(listenersOf(source)).toEqual([])
    source.abort()
    expect(target.signal.aborted).toBe(false)
  })
})

describe('sleep', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('ends after its time, or with the signal, and leaves neither timer nor listener behind', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const over = sleep(10, signal)
    vi.advanceTimersByTime(10)
    expect(await over).toBe(true)
    expect(listenersOf(controller)).toEqual([])
    const cut = sleep(10, signal)
    controller.abort()
    expect(await cut).toBe(false)
    expect(await sleep(10, signal)).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })
})

import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { follow, LightSignal, sleep, toAbortSignal, unlessAborted } from '../../src/client/abort.ts'
import { readTraceId } from '../../src/client/trace.ts'
import { toVariable } from '../../src/config/service-variable.ts'
import { createDeadline } from '../../src/middleware/deadline.ts'
import { createClock } from '../../src/signing/clock-skew.ts'
import { sha256Hex } from '../../src/signing/sha256.ts'
import { Sha256 } from '../../src/signing/signing-key.ts'
import { rejection } from '../support/helpers.ts'

describe('readTraceId', () => {
  const env = { _X_AMZN_TRACE_ID: 'Root=1-env' }
  const setStore = (getXRayTraceId: unknown) => vi.stubGlobal('awslambda', { InvokeStore: { getXRayTraceId } })
  afterEach(() => vi.unstubAllGlobals())

  it('reads the context first, then the invoke store, then the environment', () => {
    setStore(() => 'Root=1-store')
    expect(readTraceId({ xRayTraceId: 'Root=1-context' }, env)).toBe('Root=1-context')
    expect(readTraceId({ lambdaContext: { xRayTraceId: 'Root=1-wrapped' } }, env)).toBe('Root=1-wrapped')
    expect(readTraceId({}, env)).toBe('Root=1-store')
    vi.unstubAllGlobals()
    expect(readTraceId({}, env)).toBe('Root=1-env')
    expect(readTraceId(undefined, {})).toBeUndefined()
  })

  it('does without an invoke store, or one that knows no trace', () => {
    vi.stubGlobal('awslambda', {})
    expect(readTraceId({}, env)).toBe('Root=1-env')
    vi.stubGlobal('awslambda', { InvokeStore: {} })
    expect(readTraceId({}, env)).toBe('Root=1-env')
    setStore(() => undefined)
    expect(readTraceId({}, env)).toBe('Root=1-env')
  })

  it('keeps the value verbatim, lineage included', () => {
    const value =
      'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1|68fd508a:5'
    expect(readTraceId({}, { _X_AMZN_TRACE_ID: value })).toBe(value)
  })

  it.each(['', 'Root=1\r\nx-evil: 1', 'Root=1\u0000', 'Root=\u007f', 'Root=é', 42])('takes %j for none', (value) => {
    expect(readTraceId({ xRayTraceId: value }, {})).toBeUndefined()
    expect(readTraceId({}, { _X_AMZN_TRACE_ID: value as string })).toBeUndefined()
  })
})

describe('createDeadline', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('aborts its one signal when what remains less the margin is over, while somebody holds it', () => {
    const endsAt = Date.now() + 1000
    const deadline = createDeadline(() => endsAt - Date.now(), 200)
    expect(vi.getTimerCount()).toBe(0)
    expect(deadline.remaining()).toBe(800)
    const first = deadline.hold()
    const second = deadline.hold()
    expect(vi.getTimerCount()).toBe(1)
    first()
    first()
    vi.advanceTimersByTime(799)
    expect(deadline.signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(deadline.signal.aborted).toBe(true)
    second()
  })

  it('leaves no timer once nobody holds it, and starts another one for the next', () => {
    const endsAt = Date.now() + 1000
    const deadline = createDeadline(() => endsAt - Date.now(), 200)
    deadline.hold()()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(500)
    deadline.hold()
    vi.advanceTimersByTime(299)
    expect(deadline.signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(deadline.signal.aborted).toBe(true)
  })

  it('aborts at once where no time was left', () => {
    const deadline = createDeadline(() => 100, 200)
    deadline.hold()
    vi.advanceTimersByTime(0)
    expect(deadline.signal.aborted).toBe(true)
  })

  it('keeps the longest time that a timer can', () => {
    createDeadline(() => 2 ** 31 - 1, 0).hold()
    expect(vi.getTimerCount()).toBe(1)
  })

  it.each([undefined, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40])(
    'takes %s ms for no deadline that a timer could keep',
    (ms) => {
      const deadline = createDeadline(() => ms as number, 200)
      deadline.hold()()
      expect(deadline.remaining()).toBeGreaterThan(0)
      deadline.hold()
      expect(vi.getTimerCount()).toBe(0)
    },
  )
})

describe('follow', () => {
  it('aborts with whichever source does first, and takes its listeners off', () => {
    const [a, b] = [new AbortController(), new AbortController()]
    const following = follow([undefined, a.signal, b.signal])
    b.abort('b')
    expect(getEventListeners(a.signal, 'abort')).toEqual([])
    a.abort('a')
    expect(following.signal.reason).toBe('b')
  })

  it('is aborted at once where a source is, and hears nothing once it was stopped', () => {
    const late = new AbortController()
    expect(follow([late.signal, AbortSignal.abort('early')]).signal.reason).toBe('early')
    const following = follow([late.signal])
    following.stop()
    late.abort()
    expect(following.signal.aborted).toBe(false)
  })
})

it.each([
  ['ai', 'AI_SERVICE_API_URL'],
  ['userProfile', 'USER_PROFILE_SERVICE_API_URL'],
  ['user-profile', 'USER_PROFILE_SERVICE_API_URL'],
  ['user--profile', 'USER_PROFILE_SERVICE_API_URL'],
  ['HTTPProxy', 'HTTP_PROXY_SERVICE_API_URL'],
  ['s3Files', 'S3_FILES_SERVICE_API_URL'],
])('%s takes its URL from %s', (name, variable) => {
  expect(toVariable(name)).toBe(variable)
})

it("hashes as the standard's examples do", async () => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  expect(sha256Hex('abc')).toBe(abc)
  expect(sha256Hex(new Uint8Array([0x61, 0x62, 0x63]))).toBe(abc)
  const hash = new Sha256()
  hash.update(Buffer.from('a'))
  hash.update(Buffer.from('bc'))
  expect(Buffer.from(await hash.digest()).toString('hex')).toBe(abc)
  const hmac = new Sha256('Jefe')
  hmac.update(Buffer.from('what do ya want for nothing?'))
  expect(Buffer.from(await hmac.digest()).toString('hex')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  )
})

describe('createClock', () => {
  const MACHINE = Date.parse('2026-11-22T12:00:00Z')
  const ORIGIN = 'https://h.example'
  const clock = () => createClock(() => MACHINE)
  const dated = (offset: number, extra: Record<string, string> = {}) =>
    new Headers({ date: new Date(MACHINE + offset).toUTCString(), ...extra })

  it.each([240_000, -240_000, 86_400_000])('learns an offset of %d ms, for its origin alone', (offset) => {
    const learning = clock()
    expect(learning.now(ORIGIN)).toBe(MACHINE)
    expect(learning.learn(ORIGIN, dated(offset), MACHINE)).toBe(true)
    expect(learning.now(ORIGIN)).toBe(MACHINE + offset)
    expect(learning.now('https://other.example')).toBe(MACHINE)
  })

  it.each([
    ['a difference under 4 minutes', dated(239_000)],
    ['an answer from a cache', dated(600_000, { age: '0' })],
    ['an answer without a date', new Headers()],
    ['a date that is none', new Headers({ date: 'yesterday' })],
  ])('learns nothing from %s', (_, headers) => {
    const learning = clock()
    expect(learning.learn(ORIGIN, headers, MACHINE)).toBe(false)
    expect(learning.now(ORIGIN)).toBe(MACHINE)
  })

  it('unlearns an offset that no longer fits', () => {
    const learning = clock()
    learning.learn(ORIGIN, dated(600_000), MACHINE)
    expect(learning.learn(ORIGIN, dated(0), learning.now(ORIGIN))).toBe(true)
    expect(learning.now(ORIGIN)).toBe(MACHINE)
  })
})

it('what waits with a signal takes its listener off in the end', async () => {
  const { signal } = new AbortController()
  await unlessAborted(Promise.resolve(), signal)
  expect(getEventListeners(signal, 'abort')).toEqual([])
  await rejection(unlessAborted(Promise.reject(new Error('x')), signal))
  expect(getEventListeners(signal, 'abort')).toEqual([])
  await sleep(0, signal)
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

describe('sleep', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is over after its time, or with the signal', async () => {
    const controller = new AbortController()
    const over = sleep(10, controller.signal)
    vi.advanceTimersByTime(10)
    expect(await over).toBe(true)
    const cut = sleep(10, controller.signal)
    controller.abort()
    expect(await cut).toBe(false)
    expect(await sleep(10, controller.signal)).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('LightSignal', () => {
  it('aborts once, as an AbortSignal does', () => {
    const signal = new LightSignal()
    const heard: unknown[] = []
    signal.addEventListener('abort', () => heard.push(signal.reason))
    const removed = () => heard.push('removed')
    signal.addEventListener('abort', removed)
    signal.removeEventListener('abort', removed)
    signal.abort()
    signal.abort('again')
    expect(signal).toMatchObject({
      aborted: true,
      reason: { name: 'AbortError', message: 'This operation was aborted' },
    })
    expect(heard).toEqual([signal.reason])
    expect(toAbortSignal(signal)).toMatchObject({ aborted: true, reason: signal.reason })
  })
})

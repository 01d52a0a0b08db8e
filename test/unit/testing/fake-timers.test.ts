import { afterEach, describe, expect, it, vi } from 'vitest'
import { fail, mockServices, reply } from '../../../src/testing/index.ts'
import { rejection } from '../../support/helpers.ts'

type Config = NonNullable<Parameters<typeof vi.useFakeTimers>[0]>

/** Everything but `nextTick`, which vitest refuses to fake in its default pool. */
const ALL: Config['toFake'] = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
  'Date',
  'performance',
  'hrtime',
  'queueMicrotask',
]

afterEach(() => {
  vi.useRealTimers()
})

describe.each<[string, Config]>([
  ['of vitest by default', {}],
  ['of all kinds', { toFake: ALL }],
  ['for setTimeout alone', { toFake: ['setTimeout'] }],
])('under fake timers %s', (_, config) => {
  it('mocks respond without advancing the timers', async () => {
    vi.useFakeTimers({ now: 0, ...config })
    const { ai } = mockServices({
      ai: {
        'GET /json': { n: 1 },
        'GET /text': async () => 'text',
        'GET /stream': async function* () {
          yield 'a'
          yield 'b'
        },
        'POST /echo': ({ json }) => json,
        'GET /missing': reply(404, { message: 'x' }),
        'GET /hang': fail('hang'),
        'GET /half': fail('hang-in-body'),
        'DELETE /x': undefined,
      },
    })
    const before = Date.now()
    expect(await ai.get('json').json()).toEqual({ n: 1 })
    expect(await (await ai.get('json')).json()).toEqual({ n: 1 })
    expect(await (await ai.fetch('json')).arrayBuffer()).toHaveProperty('byteLength', 7)
    expect(await ai.get('text').text()).toBe('text')
    expect(await ai.get('stream').text()).toBe('ab')
    expect(await ai.post('echo', { json: { n: 2 } }).json()).toEqual({ n: 2 })
    expect(await rejection(ai.get('missing').json())).toMatchObject({ status: 404, data: { message: 'x' } })
    expect(await rejection(ai.get('hang').json())).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' })
    expect(await rejection(ai.get('half').json())).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' })
    expect((await ai.delete('x')).status).toBe(204)
    if (config.toFake?.includes('Date') !== false) expect(Date.now()).toBe(before)
  })

  it('mocks retry without being waited for', async () => {
    vi.useFakeTimers({ now: 0, ...config })
    let count = 0
    const { ai, admin } = mockServices({
      ai: {
        'GET /broken': fail('network'),
        'GET /busy': reply(503),
        'POST /throttled': () => (count++ < 2 ? fail('throttled') : { count }),
        'GET /slow': fail('timeout'),
      },
      admin: { 'GET /busy': reply(503) },
    })
    const later = vi.fn()
    setTimeout(later, 1)
    const ends = await Promise.all([
      rejection(ai.get('broken').json()),
      rejection(admin.get('busy').json()),
      ai.post('throttled').json(),
      rejection(ai.get('slow', { retry: { limit: 1, retryOnTimeout: true } }).json()),
    ])
    expect(ends).toMatchObject([{ attempts: 3 }, { attempts: 3, status: 503 }, { count: 3 }, { attempts: 2 }])
    expect(await rejection(ai.get('busy', { retry: 4 }).json())).toMatchObject({ attempts: 5 })
    expect(later).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(later).toHaveBeenCalledOnce()
  })

  it('mocks wait as long as a response asks, once the time is let pass', async () => {
    vi.useFakeTimers({ now: 0, ...config })
    let count = 0
    const { ai } = mockServices({
      ai: { 'GET /x': () => (count++ === 0 ? reply(503, {}, { 'retry-after': '7' }) : { count }) },
    })
    const settled = vi.fn()
    const end = ai.get('x').json()
    end.then(settled)
    await vi.advanceTimersByTimeAsync(6_990)
    expect(ai.calls).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(20)
    expect(await end).toEqual({ count: 2 })
  })
})

it('retries go on while a test advances the time', async () => {
  vi.useFakeTimers()
  const { ai } = mockServices({ ai: { 'GET /x': reply(503) } })
  const end = new Promise((resolve) => {
    setTimeout(() => resolve(rejection(ai.get('x').json())), 100)
  })
  await vi.advanceTimersByTimeAsync(100)
  expect(await end).toMatchObject({ attempts: 3 })
})

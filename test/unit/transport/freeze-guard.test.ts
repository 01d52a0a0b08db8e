import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices, createSignedFetch } from '../../../src/index.ts'
import { createFreezeGuard } from '../../../src/transport/freeze-guard.ts'
import { IDENTITY } from '../../support/helpers.ts'
import { startService, trustServices } from './loopback.ts'
import { startThreadService, type ThreadService } from './thread-service.ts'

/** Turns of the event loop that a promise takes: up to the third. */
async function countTurns(promise: Promise<void> | undefined): Promise<number> {
  if (promise === undefined) return 0
  let turns = 0
  let isSettled = false
  promise.then(() => {
    isSettled = true
  })
  // Microtasks first: what needs no turn has settled by then.
  await Promise.resolve().then(() => {})
  while (!isSettled && turns < 3) {
    await new Promise((resolve) => setImmediate(resolve))
    turns += 1
  }
  return turns
}

describe('createFreezeGuard', () => {
  it('waits two turns of the event loop after a pause, and not at all without one', async () => {
    let now = 1_000_000
    const guard = createFreezeGuard(() => now)
    expect(await countTurns(guard())).toBe(0)
    now += 19
    expect(await countTurns(guard())).toBe(0)
    now += 20
    expect(await countTurns(guard())).toBe(2)
    expect(await countTurns(guard())).toBe(0)
  })

  it('treats a clock that was set back as a pause', async () => {
    let now = 1_000_000
    const guard = createFreezeGuard(() => now)
    now -= 60_000
    expect(await countTurns(guard())).toBe(2)
  })

  it('makes every request wait that comes before the first one has been sent', async () => {
    let now = 1_000_000
    const guard = createFreezeGuard(() => now)
    now += 60_000
    const first = countTurns(guard())
    const second = countTurns(guard())
    expect(await Promise.all([first, second])).toEqual([2, 2])
  })

  it('uses no timer that a test may have faked', async () => {
    vi.useFakeTimers()
    onTestFinished(() => {
      vi.useRealTimers()
    })
    let now = 1_000_000
    const guard = createFreezeGuard(() => now)
    now += 60_000
    await guard()
  })

  it('reads the clock of the process by default', async () => {
    const guard = createFreezeGuard()
    expect(guard()).toBeUndefined()
    await wait(25)
    expect(await countTurns(guard())).toBe(2)
  })
})

describe('a POST after a pause', () => {
  const ROUNDS = 6
  const expected = Array.from({ length: ROUNDS }, (_, round) => `POST {"round":${round}}`)

  /** Blocks after each call: at once, within the callback that has brought the response, or when all of it is over. */
  async function callAndBlock(
    { block }: ThreadService,
    when: 'at once' | 'later',
    post: (json: object) => Promise<unknown>,
  ): Promise<void> {
    for (let round = 0; round < ROUNDS; round += 1) {
      await post({ round })
      if (when === 'later') await wait(2)
      block(round + 1)
    }
  }

  it.each([
    ['http', 'destroy', 'at once'],
    ['http', 'destroy', 'later'],
    ['http', 'resetAndDestroy', 'at once'],
    ['http', 'resetAndDestroy', 'later'],
    ['https', 'destroy', 'at once'],
    ['https', 'destroy', 'later'],
    ['https', 'resetAndDestroy', 'at once'],
    ['https', 'resetAndDestroy', 'later'],
  ] as const)('is not lost to a connection that ended meanwhile: %s, %s, %s', async (protocol, end, when) => {
    trustServices()
    const service = await startThreadService(protocol, end)
    const { ai } = createServices({
      services: { ai: { url: `${service.url}/ai`, region: 'us-east-1', signingName: 'execute-api', retry: 0 } },
      credentials: IDENTITY,
    })
    await callAndBlock(service, when, (json) => ai.post('jobs', { json }).json())
    expect(await service.seen()).toEqual(expected)
  })

  it('is not lost by createSignedFetch either', async () => {
    const service = await startThreadService('http', 'resetAndDestroy')
    const fetch = createSignedFetch({ credentials: IDENTITY, region: 'us-east-1', service: 'execute-api' })
    const post = async (json: object) =>
      (await fetch(service.url, { method: 'POST', body: JSON.stringify(json) })).json()
    await callAndBlock(service, 'later', post)
    expect(await service.seen()).toEqual(expected)
  })

  it('that its caller aborts while it waits is not sent', async () => {
    const service = await startService()
    const fetch = createSignedFetch({ credentials: IDENTITY, region: 'us-east-1', service: 'lambda' })
    // Derives the signing key.
    await (await fetch(service.url)).text()
    await wait(30)
    const controller = new AbortController()
    const reason = new Error('enough')
    setImmediate(() => controller.abort(reason))
    await expect(fetch(service.url, { method: 'POST', signal: controller.signal })).rejects.toBe(reason)
    await wait(30)
    expect(service.seen.map(({ method }) => method)).toEqual(['GET'])
  })
})

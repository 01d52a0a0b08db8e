import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices, createSignedFetch } from '../../../src/index.ts'
import { createCatchUp } from '../../../src/transport/freeze-guard.ts'
import { fetch as undiciFetch } from '../../../src/undici.ts'
import { answer, IDENTITY } from '../../support/helpers.ts'

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

describe('createCatchUp', () => {
  it('waits two turns of the event loop after a pause, and not at all without one', async () => {
    let now = 1_000_000
    const catchUp = createCatchUp(() => now)
    expect(await countTurns(catchUp())).toBe(0)
    now += 19
    expect(await countTurns(catchUp())).toBe(0)
    now += 20
    expect(await countTurns(catchUp())).toBe(2)
    expect(await countTurns(catchUp())).toBe(0)
  })

  it('takes a clock that was set back for a pause', async () => {
    let now = 1_000_000
    const catchUp = createCatchUp(() => now)
    now -= 60_000
    expect(await countTurns(catchUp())).toBe(2)
  })

  it('makes everybody wait who comes before the first one has sent', async () => {
    let now = 1_000_000
    const catchUp = createCatchUp(() => now)
    now += 60_000
    const first = countTurns(catchUp())
    const second = countTurns(catchUp())
    expect(await Promise.all([first, second])).toEqual([2, 2])
  })

  it('needs no timer that a test may have faked', async () => {
    vi.useFakeTimers()
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const catchUp = createCatchUp()
    vi.setSystemTime(Date.now() + 60_000)
    await catchUp()
  })
})

interface Service {
  readonly url: string
  /** What has arrived. */
  readonly seen: () => Promise<string[]>
  /** Blocks the event loop until so many connections have ended. */
  readonly block: (count: number) => void
}

/**
 * A service on a thread of its own that does to each connection what `end` names, 30 ms after its answer.
 * This thread is blocked by then, which is to it what a freeze is: it learns of nothing.
 */
async function startService(end: 'destroy' | 'resetAndDestroy'): Promise<Service> {
  const ended = new Int32Array(new SharedArrayBuffer(4))
  const source = `
    const { createServer } = require('node:http')
    const { parentPort, workerData: ended } = require('node:worker_threads')
    const seen = []
    const end = (socket) => {
      socket.${end}()
      Atomics.add(ended, 0, 1)
      Atomics.notify(ended, 0)
    }
    const server = createServer(async (incoming, response) => {
      let body = ''
      for await (const chunk of incoming) body += chunk
      seen.push(incoming.method + ' ' + body)
      response.end('{}', () => setTimeout(end, 30, incoming.socket))
    })
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
    parentPort.on('message', () => parentPort.postMessage(seen))
  `
  const worker = new Worker(source, { eval: true, workerData: ended })
  onTestFinished(async () => {
    await worker.terminate()
  })
  const [port] = await once(worker, 'message')
  const seen = async () => {
    worker.postMessage('seen')
    return (await once(worker, 'message'))[0]
  }
  const block = (count: number) => {
    while (Atomics.load(ended, 0) < count) Atomics.wait(ended, 0, count - 1)
  }
  return { url: `http://127.0.0.1:${port}`, seen, block }
}

describe('a POST after a pause', () => {
  const ROUNDS = 6
  const expected = Array.from({ length: ROUNDS }, (_, round) => `POST {"round":${round}}`)

  /** Blocks after each call: at once, within the callback that has brought the answer, or when all of it is over. */
  async function callAndBlock(
    { block }: Service,
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
    ['destroy', 'at once', 'fetch'],
    ['destroy', 'later', 'fetch'],
    ['resetAndDestroy', 'at once', 'fetch'],
    ['resetAndDestroy', 'later', 'fetch'],
    ['destroy', 'at once', 'undici'],
    ['destroy', 'later', 'undici'],
    ['resetAndDestroy', 'at once', 'undici'],
    ['resetAndDestroy', 'later', 'undici'],
  ] as const)('is not lost to a connection that ended meanwhile: %s, %s, %s', async (end, when, transport) => {
    const service = await startService(end)
    const { ai } = createServices({
      services: { ai: { url: `${service.url}/ai`, region: 'us-east-1', signingName: 'execute-api' } },
      credentials: IDENTITY,
      fetch: transport === 'undici' ? undiciFetch : undefined,
    })
    await callAndBlock(service, when, (json) => ai.post('jobs', { json }).json())
    expect(await service.seen()).toEqual(expected)
  })

  it('is not lost by createSignedFetch either', async () => {
    const service = await startService('resetAndDestroy')
    const fetch = createSignedFetch({ credentials: IDENTITY, region: 'us-east-1', service: 'execute-api' })
    const post = async (json: object) =>
      (await fetch(service.url, { method: 'POST', body: JSON.stringify(json) })).json()
    await callAndBlock(service, 'later', post)
    expect(await service.seen()).toEqual(expected)
  })

  it('that its caller aborts while it waits is not sent', async () => {
    const sent: unknown[] = []
    const transport = (input: unknown) => {
      sent.push(input)
      return answer()
    }
    const fetch = createSignedFetch({ credentials: IDENTITY, region: 'us-east-1', service: 'lambda', fetch: transport })
    await wait(30)
    const controller = new AbortController()
    setImmediate(() => controller.abort(new Error('enough')))
    await expect(fetch('https://example.com/', { method: 'POST', signal: controller.signal })).rejects.toThrow('enough')
    expect(sent).toEqual([])
  })
})

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import middy from '@middy/core'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type ServiceClient, type SignedServicesOptions, signedServices } from '../../src/index.ts'
import { answer, IDENTITY, rejection } from '../support/helpers.ts'
import { startStopwatch } from '../support/stopwatch.ts'

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** A service whose heads come at once, and whose bodies end after `ms` milliseconds. */
async function startSlowBodies(ms: number): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    response.write('{"a":')
    setTimeout(() => response.end('1}'), ms)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function run(url: string, handler: (ai: ServiceClient) => unknown, options: SignedServicesOptions = {}) {
  const warnings: string[] = []
  const logger = { info() {}, error() {}, warn: (message: string) => warnings.push(message) }
  const wrapped = middy()
    .use(
      signedServices({
        services: { ai: url },
        region: 'eu-central-1',
        credentials: IDENTITY,
        logger,
        ...options,
      } as const),
    )
    .handler(async (_, { services }) => handler((services as unknown as { ai: ServiceClient }).ai))
  const context = { getRemainingTimeInMillis: () => 20_000 }
  const took = startStopwatch()
  const result = await wrapped({}, context as never)
  return { result, warnings, took: took() }
}

describe('a body that is being read when the handler ends', () => {
  it('is aborted where the call only reads', async () => {
    const url = await startSlowBodies(5_000)
    let reading: Promise<unknown> | undefined
    const { warnings, took } = await run(url, async (ai) => {
      const response = await ai.get('x')
      reading = rejection(response.json())
    })
    expect(took).toBeLessThan(1_000)
    expect(warnings).toEqual([
      'Calls were still pending when the handler ended: ai GET /x (aborted). Await each call in the handler.',
    ])
    expect(await reading).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT', deadline: true })
  })

  it('is waited for where the call writes', async () => {
    const url = await startSlowBodies(100)
    let read: unknown
    const { warnings } = await run(url, async (ai) => {
      const response = await ai.post('x')
      void response.json().then((value) => {
        read = value
      })
    })
    expect(read).toEqual({ a: 1 })
    expect(warnings).toEqual([
      'Calls were still pending when the handler ended: ai POST /x (finished). Await each call in the handler.',
    ])
  })

  it('is not waited for if it is not read', async () => {
    const url = await startSlowBodies(5_000)
    const { warnings, took } = await run(url, async (ai) => {
      await ai.post('x')
    })
    expect(took).toBeLessThan(900)
    expect(warnings).toEqual([])
  })
})

it('a call that only reads is not begun any more while a call that writes finishes', async () => {
  let gets = 0
  const fetch: typeof globalThis.fetch = async (_, init) => {
    if (init?.method === 'GET') gets += 1
    await wait(init?.method === 'GET' ? 1 : 60)
    return answer('{}')
  }
  const { warnings, took } = await run(
    'https://id.execute-api.eu-central-1.amazonaws.com/prod',
    (ai) => {
      void ai.post('x')
      void (async () => {
        for (let count = 0; count < 200; count += 1) await ai.get('y').catch(() => {})
      })()
    },
    { fetch },
  )
  expect(took).toBeLessThan(900)
  expect(gets).toBeLessThanOrEqual(1)
  expect(warnings.join()).toContain('ai POST /x (finished)')
})

it('fake timers do not keep a handler from its end', async () => {
  const url = await startSlowBodies(1)
  vi.useFakeTimers()
  onTestFinished(() => {
    vi.useRealTimers()
  })
  const { result } = await run(url, (ai) => {
    ai.post('x').catch(() => {})
    return 'done'
  })
  expect(result).toBe('done')
})

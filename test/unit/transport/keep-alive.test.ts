import http, { type ServerResponse } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices, createSignedFetch } from '../../../src/index.ts'
import { KeepAlive } from '../../../src/transport/keep-alive.ts'
import { IDENTITY, rejection } from '../../support/helpers.ts'
import { findClosedPort, type Service, startService, trustServices, turn, useTransport } from './loopback.ts'

/** The agents that requests are sent with. */
function watchAgents(): Set<http.Agent> {
  const agents = new Set<http.Agent>()
  const { request } = http
  const spy = vi.spyOn(http, 'request').mockImplementation(((options: http.RequestOptions) => {
    agents.add(options.agent as http.Agent)
    return request(options)
  }) as typeof request)
  onTestFinished(() => spy.mockRestore())
  return agents
}

describe('a connection', () => {
  it.each([false, true])('serves until it was idle for 30 s, and is closed then; over TLS: %s', async (isTls) => {
    trustServices()
    const service = await startService(undefined, { isTls, host: 'localhost' })
    const { clock, call } = useTransport()
    for (const pause of [0, 6_000, 25_000, 29_999]) {
      clock.now += pause
      await call(service.url)
    }
    expect(service.connections).toHaveLength(1)
    clock.now += 30_000
    await call(service.url)
    expect(service.connections).toHaveLength(2)
    await vi.waitFor(() => expect(service.live()).toEqual([service.connections[1]]))
  })

  it('is destroyed before a request is written', async () => {
    const service = await startService()
    const { clock, call } = useTransport()
    await call(service.url)
    clock.now += 60_000
    const written = vi.fn()
    service.connections[0]?.on('data', written)
    await call(service.url)
    expect(written).not.toHaveBeenCalled()
    expect(service.seen).toHaveLength(2)
  })

  it('is not trusted after a clock was set back', async () => {
    const service = await startService()
    const { clock, call } = useTransport()
    await call(service.url)
    clock.now -= 30_000
    await call(service.url)
    expect(service.connections).toHaveLength(2)
  })

  it("counts its own service's calls alone", async () => {
    const [busy, quiet] = [await startService(), await startService()]
    const { clock, call } = useTransport()
    await call(quiet.url)
    for (let seconds = 0; seconds < 40; seconds += 10) {
      clock.now += 10_000
      await call(busy.url)
    }
    await call(quiet.url)
    expect([busy.connections.length, quiet.connections.length]).toEqual([1, 2])
  })

  it('is reused where several services are called at once', async () => {
    const services = [await startService(), await startService()]
    const { call } = useTransport()
    for (let round = 0; round < 2; round += 1) await Promise.all(services.map(({ url }) => call(url)))
    expect(services.map(({ connections }) => connections.length)).toEqual([1, 1])
  })

  it('is also closed if its service is not called again', async () => {
    const [former, other, recent] = [await startService(), await startService(), await startService()]
    const { clock, call } = useTransport()
    await call(former.url)
    await call(recent.url)
    clock.now += 20_000
    await call(recent.url)
    clock.now += 10_000
    await call(other.url)
    await vi.waitFor(() => expect(former.live()).toHaveLength(0))
    expect(recent.live()).toHaveLength(1)
  })

  it('is shared by clients of any kind', async () => {
    const service = await startService()
    const createAi = () => {
      const target = { url: service.url, region: 'us-east-1', signingName: 'execute-api', retry: 0 } as const
      return createServices({ services: { ai: target }, credentials: IDENTITY }).ai
    }
    const signed = createSignedFetch({ credentials: IDENTITY, region: 'us-east-1', service: 'execute-api' })
    await createAi().get('jobs').json()
    await turn()
    await createAi().post('jobs', { json: {} }).json()
    await turn()
    await (await createAi().fetch('jobs')).text()
    await turn()
    await (await signed(service.url)).text()
    expect(service.seen).toHaveLength(4)
    expect(service.connections).toHaveLength(1)
  })

  it('that fails leaves the next request to a new one', async () => {
    let isBroken = true
    const service = await startService((request, response) => {
      if (isBroken) request.socket.destroy()
      else response.end('{}')
    })
    const { call } = useTransport()
    await rejection(call(service.url))
    isBroken = false
    expect(await call(service.url)).toBe('{}')
  })

  it('that is not accepted leaves the next request to a new one', async () => {
    const port = await findClosedPort()
    const { call } = useTransport()
    await rejection(call(`http://127.0.0.1:${port}`))
    const service = await startService(undefined, { port })
    expect(await call(service.url)).toBe('{}')
  })

  it('that the service closes while it is idle leaves the next request another one', async () => {
    const service = await startService()
    const { call } = useTransport()
    for (const end of ['destroy', 'resetAndDestroy'] as const) {
      await call(service.url)
      service.connections.at(-1)?.[end]()
      await turn()
    }
    await call(service.url)
    expect([service.seen.length, service.connections.length]).toEqual([3, 3])
  })

  it('is closed by a timer while the process runs, which no request in flight feels', async () => {
    const waiting: ServerResponse[] = []
    const service = await startService((_, response) => waiting.push(response))
    const agents = watchAgents()
    const { call } = useTransport()
    const answer = async (isAnswered: Promise<string>, at: number) => {
      await vi.waitFor(() => expect(waiting).toHaveLength(at + 1))
      waiting[at]?.end('{}')
      await isAnswered
    }
    // Makes the agent.
    await answer(call(service.url), 0)
    const [{ options }] = [...agents] as unknown as [{ options: { timeout: number } }]
    expect(options.timeout).toBe(30_000)
    options.timeout = 50

    service.connections[0]?.destroy()
    await turn()
    const fresh = call(service.url)
    await new Promise((resolve) => setTimeout(resolve, 150))
    await answer(fresh, 1)
    const reused = call(service.url)
    await new Promise((resolve) => setTimeout(resolve, 150))
    await answer(reused, 2)
    expect(service.connections).toHaveLength(2)
    await vi.waitFor(() => expect(service.live()).toHaveLength(0))
  })

  it("is kept as long as the service's own header says, and no longer", async () => {
    const service = await startService((_, response) => {
      response.setHeader('keep-alive', 'timeout=5').end('{}')
    })
    const { clock, call } = useTransport()
    await call(service.url)
    // Node.js stays a second below.
    clock.now += 3_999
    await call(service.url)
    expect(service.connections).toHaveLength(1)
    clock.now += 4_000
    await call(service.url)
    expect(service.connections).toHaveLength(2)
  })

  it("ends by a timer when the service's own header says so", async () => {
    const service = await startService((_, response) => {
      response.setHeader('keep-alive', 'timeout=2').end('{}')
    })
    const { call } = useTransport()
    const startedAt = performance.now()
    await call(service.url)
    await vi.waitFor(() => expect(service.live()).toHaveLength(0), { timeout: 3_000 })
    expect(performance.now() - startedAt).toBeGreaterThan(900)
  })
})

describe('several connections at once', () => {
  const callTogether = (call: (url: string) => Promise<string>, { url }: Service, count: number) =>
    Promise.all(Array.from({ length: count }, () => call(url)))

  /** A service that holds its responses back until the given number of requests wait. */
  async function startGate() {
    const waiting: ServerResponse[] = []
    const service = await startService((_, response) => waiting.push(response))
    const open = async (count: number) => {
      await vi.waitFor(() => expect(waiting).toHaveLength(count))
      for (const response of waiting.splice(0)) response.end('{}')
    }
    return { service, waiting, open }
  }

  it('are reused at any age, and none of them after 30 s without a request', async () => {
    const service = await startService((_, response) => setTimeout(() => response.end('{}'), 20))
    const { clock, call } = useTransport()
    for (let round = 0; round < 4; round += 1) {
      await callTogether(call, service, 3)
      clock.now += 15_000
      await call(service.url)
      clock.now += 14_999
    }
    await callTogether(call, service, 3)
    expect(service.connections).toHaveLength(3)
    clock.now += 30_000
    await callTogether(call, service, 3)
    expect(service.connections).toHaveLength(6)
    await vi.waitFor(() => expect(service.live()).toEqual(service.connections.slice(3)))
  })

  it('are closed one by one, the newest serving on', async () => {
    const service = await startService((_, response) => setTimeout(() => response.end('{}'), 20))
    const { clock, call } = useTransport()
    await callTogether(call, service, 3)
    for (let seconds = 0; seconds < 40; seconds += 20) {
      clock.now += 20_000
      await call(service.url)
    }
    expect(service.connections).toHaveLength(3)
    await vi.waitFor(() => expect(service.live()).toHaveLength(1))
  })

  it('let requests finish that are on their way', async () => {
    const { service, open } = await startGate()
    const { clock, call } = useTransport()
    const early = call(service.url)
    await vi.waitFor(() => expect(service.seen).toHaveLength(1))
    clock.now += 60_000
    const late = call(service.url)
    await open(2)
    expect(await Promise.all([early, late])).toEqual(['{}', '{}'])
    expect(service.live()).toHaveLength(2)
  })

  /** Two idle connections; the newer one is of a time at which the clock was a minute ahead. */
  it('serve although only the newer one is too old, as after a clock that went ahead for a while', async () => {
    const { service, waiting, open } = await startGate()
    const { clock, call } = useTransport()
    const calls = [call(service.url), call(service.url)]
    await vi.waitFor(() => expect(waiting).toHaveLength(2))
    waiting.shift()?.end('{}')
    await turn()
    clock.now += 60_000
    await open(1)
    await Promise.all(calls)
    clock.now -= 60_000
    const third = call(service.url)
    await open(1)
    expect(await third).toBe('{}')
    expect(service.connections).toHaveLength(3)
    await vi.waitFor(() => expect(service.live()).toEqual([service.connections[2]]))
  })

  it('serve although the newer one has just ended, which its agent has yet to learn', async () => {
    const service = await startService((_, response) => setTimeout(() => response.end('{}'), 20))
    const agents = watchAgents()
    const { call } = useTransport()
    await callTogether(call, service, 2)
    const free = [...agents].flatMap(({ freeSockets }) => Object.values(freeSockets).flat()) as Socket[]
    expect(free).toHaveLength(2)
    free[1]?.destroy()
    expect(await call(service.url)).toBe('{}')
    expect(service.seen).toHaveLength(3)
  })
})

describe('the agent for a protocol', () => {
  it('is one for each number of connections', () => {
    const keepAlive = new KeepAlive()
    const agent = keepAlive.agentFor('https:')
    expect(agent).toBeInstanceOf(https.Agent)
    expect(keepAlive.agentFor('https:')).toBe(agent)
    expect(keepAlive.agentFor('https:', 128)).toBe(agent)
    expect(keepAlive.agentFor('https:', 12)).not.toBe(agent)
    expect(keepAlive.agentFor('http:')).toBeInstanceOf(http.Agent)
    expect(keepAlive.agentFor('http:')).not.toBeInstanceOf(https.Agent)
    expect([agent.maxSockets, keepAlive.agentFor('https:', 12).maxSockets]).toEqual([128, 12])
  })

  it.each([
    [undefined, 128],
    [3, 3],
  ])('makes no more connections to an origin than maxConnections, %s', async (maxConnections, expected) => {
    const service = await startService((_, response) => setTimeout(() => response.end('{}'), 20))
    const other = await startService()
    const { call } = useTransport()
    const options = maxConnections === undefined ? {} : { maxConnections }
    await Promise.all([
      ...Array.from({ length: 2 * expected }, () => call(service.url, options)),
      call(other.url, options),
    ])
    expect(service.seen).toHaveLength(2 * expected)
    expect([service.connections.length, other.connections.length]).toEqual([expected, 1])
  })

  it('gives the place of a connection that has ended to a request that waits', async () => {
    let requests = 0
    const service = await startService((request, response) => {
      requests += 1
      if (requests === 1) request.socket.destroy()
      else response.end('{}')
    })
    const { call } = useTransport()
    const first = rejection(call(service.url, { maxConnections: 1 }))
    const second = call(service.url, { maxConnections: 1 })
    expect(await first).toMatchObject({ code: 'ECONNRESET' })
    expect(await second).toBe('{}')
  })
})

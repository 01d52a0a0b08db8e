import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createServices, type ServiceOptions, type SignedServicesOptions } from '../../src/index.ts'
import { IDENTITY, listen, rejection } from '../support/helpers.ts'

/** Counts the connections that are open at a time. It responds after a while, once so many requests have arrived. */
async function startService({ delay = 10, atLeast = 1 } = {}) {
  const waiting: (() => void)[] = []
  const seen = { open: 0, most: 0, requests: 0 }
  const server = createServer((_, response) => {
    seen.requests += 1
    waiting.push(() => setTimeout(() => response.end('{}'), delay))
    if (seen.requests >= atLeast) for (const respond of waiting.splice(0)) respond()
  })
  server.on('connection', (socket) => {
    seen.open += 1
    seen.most = Math.max(seen.most, seen.open)
    socket.on('close', () => {
      seen.open -= 1
    })
  })
  return { url: `http://127.0.0.1:${await listen(server)}`, seen }
}

const create = (
  url: string,
  options: SignedServicesOptions = {},
  { ai, admin }: Readonly<Record<string, ServiceOptions>> = {},
) =>
  createServices({
    region: 'eu-central-1',
    credentials: IDENTITY,
    ...options,
    services: { ai: { ...ai, url: `${url}/ai` }, admin: { ...admin, url: `${url}/admin` } },
  })

const many = (count: number, call: () => Promise<unknown>) => Promise.all(Array.from({ length: count }, call))

describe('the connections to one origin', () => {
  it('are 128 at most by default', async () => {
    const { url, seen } = await startService({ atLeast: 128 })
    const { ai, admin } = create(url)
    await Promise.all([many(150, () => ai.get('x')), many(150, () => admin.post('x'))])
    expect(seen).toMatchObject({ most: 128, requests: 300 })
  })

  it('are as many as maxConnections at most, each used again', async () => {
    const { url, seen } = await startService()
    const { ai } = create(url, { maxConnections: 3 })
    await many(30, () => ai.post('x', { json: {} }).json())
    expect(seen).toMatchObject({ most: 3, open: 3, requests: 30 })
  })

  it('may be more than by default', async () => {
    const { url, seen } = await startService({ atLeast: 150 })
    const { ai } = create(url, { maxConnections: 150 })
    await many(150, () => ai.fetch('x'))
    expect(seen).toMatchObject({ most: 150, requests: 150 })
  })

  it('are limited separately by each service', async () => {
    const { url, seen } = await startService({ atLeast: 7 })
    const { ai, admin } = create(url, { maxConnections: 2 }, { admin: { maxConnections: 5 } })
    await Promise.all([many(20, () => ai.get('x')), many(20, () => admin.get('x'))])
    expect(seen).toMatchObject({ most: 7, requests: 40 })
  })
})

describe('a call that waits for a connection', () => {
  it('is not sent once its time is over, and leaves the connection to others', async () => {
    const { url, seen } = await startService({ delay: 60 })
    const { ai } = create(url, { maxConnections: 1, retry: 0 })
    const first = ai.get('x')
    const error = await rejection(ai.post('x', { timeout: 20 }))
    expect(error).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT', timeoutMs: 20, deadline: false })
    await first
    await ai.get('x')
    expect(seen).toMatchObject({ most: 1, requests: 2 })
  })

  it("is not sent once its caller's signal has aborted", async () => {
    const { url, seen } = await startService({ delay: 30 })
    const { ai } = create(url, { maxConnections: 1 })
    const controller = new AbortController()
    const first = ai.get('x')
    const second = rejection(ai.put('x', { signal: controller.signal }))
    await new Promise((resolve) => setTimeout(resolve, 5))
    controller.abort('enough')
    expect(await second).toBe('enough')
    await first
    await ai.get('x')
    expect(seen.requests).toBe(2)
  })
})

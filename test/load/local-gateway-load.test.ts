import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, it, onTestFinished } from 'vitest'
import { createServices } from '../../src/index.ts'
import { useGateway } from '../support/helpers.ts'

it('responds to thousands of requests over reused connections', async () => {
  const gateway = await useGateway({ ai: { 'POST /echo/:id': ({ params, json }) => ({ ...params, json }) } })
  const sockets = new Set<unknown>()
  const onConnected = (message: unknown) => sockets.add((message as { socket: unknown }).socket)
  subscribe('undici:client:connected', onConnected)
  onTestFinished(() => {
    unsubscribe('undici:client:connected', onConnected)
  })
  const { ai } = createServices({ services: ['ai'] })
  for (let id = 0; id < 20; id += 1) await ai.post(`echo/${id}`, { json: id }).json()
  // Two a caller at most: Node's own fetch opens another one while the first is still being freed.
  expect(sockets.size).toBeLessThanOrEqual(2)

  const ids = Array.from({ length: 3000 }, (_, index) => String(index))
  const queue = ids.values()
  const answers: unknown[] = []
  const work = async () => {
    for (const id of queue) answers.push(await ai.post(`echo/${id}`, { json: { id } }).json())
  }
  await Promise.all(Array.from({ length: 50 }, work))
  expect(answers).toHaveLength(3000)
  expect(answers).toEqual(expect.arrayContaining([{ id: '2999', json: { id: '2999' } }]))
  expect(new Set(gateway.requests.slice(20).map(({ path }) => path)).size).toBe(3000)
  expect(gateway.requests.every(({ signature, status }) => signature.verified && status === 200)).toBe(true)
  expect(sockets.size).toBeLessThanOrEqual(100)
}, 30_000)

import { Readable } from 'node:stream'
import { expect, it, vi } from 'vitest'
import { ReceivedResponse } from '../../../src/transport/received-response.ts'

// The half minute for which an unread body keeps its connection.
vi.mock('node:timers', async (original) => ({
  ...(await original<object>()),
  setTimeout: (callback: () => void, ms: number) => setTimeout(callback, ms === 30_000 ? 50 : ms),
}))

const HEAD = { status: 200, statusText: 'OK', headers: new Headers(), url: 'http://h.example/' }
const endless = () =>
  new Readable({
    read() {
      this.push(Buffer.alloc(16_384))
    },
  })
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

it('a large unread body releases its connection', async () => {
  const source = endless()
  const response = new ReceivedResponse(HEAD, source, { toError: (error) => error })
  await wait(10)
  expect(source.destroyed).toBe(false)
  await wait(100)
  expect(source.destroyed).toBe(true)
  await expect(response.text()).rejects.toThrow()
})

it('a large body that is read in time keeps its connection', async () => {
  const source = endless()
  const response = new ReceivedResponse(HEAD, source, { toError: (error) => error })
  await wait(10)
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  await reader.read()
  await wait(100)
  expect(source.destroyed).toBe(false)
  await reader.cancel()
  expect(source.destroyed).toBe(true)
})

it('an unread clone does not close the connection of both', async () => {
  const source = endless()
  const response = new ReceivedResponse(HEAD, source, { toError: (error) => error })
  const clone = response.clone()
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  await reader.read()
  await wait(100)
  const cloned = (clone.body as ReadableStream<Uint8Array>).getReader()
  expect((await cloned.read()).done).toBe(false)
  await Promise.all([reader.cancel(), cloned.cancel()])
  expect(source.destroyed).toBe(true)
})

it('a body that was looked at and then cancelled gives it up at once', async () => {
  const source = new Readable({ read() {} })
  source.push('{"message":"x"}')
  const response = new ReceivedResponse(HEAD, source, { toError: (error) => error })
  expect(await response.peek(100, 1_000, () => true)).toBe('')
  expect(await response.peek(100, 1_000, (text) => text !== '')).toBe('{"message":"x"}')
  await response.body?.cancel()
  expect(source.destroyed).toBe(true)
})

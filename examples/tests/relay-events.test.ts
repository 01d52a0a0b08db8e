import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { reply, startLocalGateway } from 'middy-signed-services/testing'
import { expect, it, vi } from 'vitest'
import { invokeStreaming } from '../support/streaming-runtime.ts'

/** Runs the handler against a service that sends these events, and passes the invocation to `test`. */
async function relay(
  events: AsyncIterable<string>,
  test: (invocation: ReturnType<typeof invokeStreaming>) => Promise<void>,
): Promise<void> {
  const route = () => reply(200, events, { 'content-type': 'text/event-stream' })
  const gateway = await startLocalGateway({ services: { ai: { 'GET /generate/stream': route } } })
  try {
    Object.assign(process.env, gateway.env)
    // Each test is a cold start.
    vi.resetModules()
    const { handler } = await import('../functions/relay-events.ts')
    await test(invokeStreaming(handler, { topic: 'streams' }))
    expect(gateway.requests).toMatchObject([
      { path: '/generate/stream', searchParams: { topic: 'streams' }, headers: { accept: 'text/event-stream' } },
    ])
  } finally {
    await gateway.close()
  }
}

it('relays the first event before the service sends the last one', async () => {
  const firstHasArrived = Promise.withResolvers<void>()
  async function* events() {
    yield 'data: first\n\n'
    await firstHasArrived.promise
    yield 'data: last\n\n'
  }
  await relay(events(), async ({ response, end }) => {
    expect(String((await once(response, 'data'))[0])).toBe('data: first\n\n')
    firstHasArrived.resolve()
    expect(String((await once(response, 'data'))[0])).toBe('data: last\n\n')
    await end
    expect(response.metadata).toEqual({ statusCode: 200, headers: { 'content-type': 'text/event-stream' } })
  })
})

it('ends the stream of the service when the client disconnects', async () => {
  const isLeft = Promise.withResolvers<void>()
  async function* events() {
    try {
      for (;;) {
        yield 'data: tick\n\n'
        await setTimeout(10)
      }
    } finally {
      isLeft.resolve()
    }
  }
  await relay(events(), async ({ response, end }) => {
    await once(response, 'data')
    response.destroy()
    await expect(end).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' })
    await isLeft.promise
  })
})

it('fails when the service breaks off its stream', async () => {
  async function* events() {
    yield 'data: first\n\n'
    throw new Error('the model is overloaded')
  }
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
  await relay(events(), async ({ response, end }) => {
    response.resume().on('error', () => {})
    await expect(end).rejects.toMatchObject({ name: 'ServiceNetworkError', service: 'ai' })
  })
  logged.mockRestore()
})

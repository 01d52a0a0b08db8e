/** Runs `functions/relay-events.ts`: each event arrives before the service sends the next one. */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { reply } from 'middy-signed-services/testing'
import { runLocally } from './support/run-locally.ts'
import { invokeStreaming } from './support/streaming-runtime.ts'

let sent = 0

async function* writeText() {
  for (const word of ['Signed', 'requests', 'stream']) {
    sent += 1
    yield `data: ${word}\n\n`
    await setTimeout(100)
  }
}

const services = {
  ai: { 'GET /generate/stream': () => reply(200, writeText(), { 'content-type': 'text/event-stream' }) },
}

await runLocally(services, async () => {
  const { handler } = await import('./functions/relay-events.ts')
  const { response, end } = invokeStreaming(handler, { topic: 'signatures' })
  const arrived: string[] = []
  for await (const chunk of response) {
    arrived.push(`${String(chunk).trim()}, of ${sent} sent`)
    console.log(arrived.at(-1))
  }
  await end

  console.log('Response:', JSON.stringify(response.metadata))
  equal(response.metadata, { statusCode: 200, headers: { 'content-type': 'text/event-stream' } })
  equal(arrived, ['data: Signed, of 1 sent', 'data: requests, of 2 sent', 'data: stream, of 3 sent'])
})

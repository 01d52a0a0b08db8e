/**
 * Calls a service, once before, between and after pauses of so many seconds: `caller.ts ours|plain <url> [<seconds> ...]`.
 * Ends when nothing keeps it.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { createAi } from './client.ts'

const [client, url = '', ...pauses] = process.argv.slice(2)
const ai = createAi(url)
const call = client === 'plain' ? async () => (await fetch(url)).json() : () => ai.get('jobs').json()

await call()
for (const seconds of pauses) {
  await wait(Number(seconds) * 1000)
  await call()
}

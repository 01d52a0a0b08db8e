/**
 * Calls a service, once before, between and after pauses: `caller.ts ours|undici|plain <url> <speed> [<seconds> ...]`.
 * Its timers and its clock run faster than those of the world, for undici counts the seconds of a connection by timers.
 * Ends when nothing keeps it.
 */
import { createServices } from '../../../src/index.ts'

const [client, url = '', speed = '1', ...pauses] = process.argv.slice(2)
const { setTimeout } = globalThis
const { now } = Date
const startedAt = now()
Date.now = () => startedAt + (now() - startedAt) * Number(speed)
globalThis.setTimeout = Object.assign(
  (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
    setTimeout(callback, ms / Number(speed), ...args),
  setTimeout,
)

const { ai } = createServices({
  services: { ai: { url, region: 'us-east-1', signingName: 'execute-api' } },
  credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
  ...(client === 'undici' && { fetch: (await import('../../../src/undici.ts')).fetch }),
})
const call = client === 'plain' ? async () => (await fetch(url)).json() : () => ai.get('jobs').json()

await call()
for (const seconds of pauses) {
  await new Promise((resolve) => globalThis.setTimeout(resolve, Number(seconds) * 1000))
  await call()
}

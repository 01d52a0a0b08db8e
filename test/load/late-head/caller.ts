/**
 * Calls a service with a timeout of ten minutes: `caller.ts ours|fetch <url> <speed>`. The timers of the process run faster
 * than those of the world. Prints how the call ended.
 */
import { createServices } from '../../../src/index.ts'

const [client, url = '', speed = '1'] = process.argv.slice(2)
const { setTimeout } = globalThis
globalThis.setTimeout = Object.assign(
  (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
    setTimeout(callback, ms / Number(speed), ...args),
  setTimeout,
)

const { ai } = createServices({
  services: { ai: url },
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
  timeout: 600_000,
  retry: { delay: () => 0 },
})
try {
  const answer = client === 'fetch' ? await (await fetch(url)).json() : await ai.get('report').json()
  console.log(JSON.stringify(answer))
} catch (error) {
  console.log(String((error as Error).cause ?? error))
}

/**
 * Calls that the `fetch` of undici sends: as global fetch, with `install()` called `before` or `after` this package is
 * imported, or as `option` of the clients.
 */
import * as undici from 'undici'
import { makeCalls, makeFailingCalls } from './calls.ts'

const [mode] = process.argv.slice(2)
const replaced = ['fetch', 'Request', 'Response', 'Headers', 'FormData'] as const
const originals = Object.fromEntries(replaced.map((name) => [name, globalThis[name]]))
if (mode === 'before') undici.install()
const { createServices } = await import('../../../src/index.ts')
const services = createServices({
  services: ['ai', 'integration'],
  retry: { delay: () => 0 },
  ...(mode === 'option' && { fetch: undici.fetch as unknown as typeof fetch }),
})
if (mode === 'after') undici.install()

const { ai } = services
await makeCalls(services)
const codes = await makeFailingCalls(services)
const form = new FormData()
form.set('topic', 'ü')
await ai.post('jobs', { body: form })
await ai.post('jobs', { body: new URLSearchParams({ topic: 'ü' }) })
await ai.fetch(new Request(`${ai.url}/jobs`, { method: 'POST', body: 'ü' }))

const agent = new undici.MockAgent()
agent.get(new URL(ai.url).origin).intercept({ path: '/ai/jobs/mocked' }).reply(200, { from: 'mock' })
const mocked = await (await ai.fetch('jobs/mocked', { dispatcher: agent } as unknown as RequestInit)).json()

Object.assign(globalThis, originals)
await ai.get('jobs/restored').json()
console.log(JSON.stringify({ codes, mocked }))

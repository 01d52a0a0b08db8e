/** Calls with mixed faults in a process of their own, with `--expose-gc`; prints what they leave behind as JSON. */
import { getEventListeners } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { createServices } from '../../../src/index.ts'
import { type Fault, type GatewayRequest, startLocalGateway } from '../../../src/testing/index.ts'

export interface SoakResult {
  /** How the calls ended, by error code, `OK` or `ABORTED`. */
  readonly ends: Readonly<Record<string, number>>
  readonly requests: number
  /** What kept the process alive before there was anything, and after everything was closed. */
  readonly baseline: readonly string[]
  readonly left: readonly string[]
  /** Listeners on the signal that all calls share. */
  readonly listeners: { readonly betweenCalls: number; readonly afterAbort: number }
  /** Bytes after a garbage collection, every 20 calls. */
  readonly heap: readonly number[]
}

/** How the route of each name fails; the first ones not at all. */
const FAULTS: Readonly<Record<string, Fault | undefined>> = {
  ok: undefined,
  'ok-again': undefined,
  fetch: undefined,
  'reset-before-read': 'reset-before-read',
  'reset-after-read': 'reset-after-read',
  'half-answer': 'half-answer',
  busy: { status: 503, body: { message: 'busy' } },
  throttled: 'throttled',
  denied: 'access-denied',
  'not-json': { status: 200, body: '<html>' },
  hang: 'hang',
  'hang-in-body': 'hang-in-body',
  slow: { delay: 60_000 },
  // Ended by its own signal and by the one that all share.
  aborted: 'hang',
  'aborted-in-body': 'hang-in-body',
}

const [count = 1000, warmUp = 600] = process.argv.slice(2).map(Number)
const readHandles = () => process.getActiveResourcesInfo().toSorted()
const baseline = readHandles()
const names = Object.keys(FAULTS)
const gateway = await startLocalGateway({
  services: {
    ai: Object.fromEntries(names.flatMap((name) => [`GET /${name}`, `POST /${name}`].map((key) => [key, {}]))),
  },
})
Object.assign(process.env, gateway.env)
for (const [name, fault] of Object.entries(FAULTS)) {
  if (fault === undefined) continue
  gateway.fail(`ai GET /${name}`, fault)
  gateway.fail(`ai POST /${name}`, fault)
}

const { ai } = createServices({ services: ['ai'], timeout: 5_000, retry: { delay: () => 0 } })
const shared = new AbortController()
const { signal } = shared

async function call(name: string, isPost: boolean): Promise<unknown> {
  const method = isPost ? 'POST' : 'GET'
  const init = { method, signal, ...(isPost && { json: { name } }) }
  if (name === 'fetch') return (await ai.fetch(name, { method, signal })).json()
  if (name.startsWith('aborted')) {
    const own = new AbortController()
    setTimeout(() => own.abort(), 4)
    return ai(name, { ...init, signal: AbortSignal.any([signal, own.signal]) }).json()
  }
  const isHanging = name.startsWith('hang') || name === 'slow'
  return ai(name, { ...init, ...(isHanging && { timeout: 4 }) }).json()
}

const ends: Record<string, number> = {}
const heap: number[] = []
let requests = 0
let betweenCalls = 0

async function end(promise: Promise<unknown>): Promise<void> {
  const code = await promise.then(
    () => 'OK',
    (error: { code?: unknown }) => (typeof error.code === 'string' ? error.code : 'ABORTED'),
  )
  ends[code] = (ends[code] ?? 0) + 1
}

function measure(): void {
  globalThis.gc?.()
  heap.push(process.memoryUsage().heapUsed)
}

function forget(): void {
  requests += gateway.requests.length
  ;(gateway.requests as GatewayRequest[]).length = 0
}

for (let index = 0; index < warmUp + count; index += 1) {
  // An odd number of names, so that each fault meets both methods.
  await end(call(names[index % names.length] as string, index % 2 === 0))
  betweenCalls = Math.max(betweenCalls, getEventListeners(signal, 'abort').length)
  if (index < warmUp || index % 20 > 0) continue
  await wait(5)
  forget()
  measure()
}

// The last ones end with the signal that all share.
const last = ['hang', 'hang-in-body', 'slow'].map((name) => end(ai.get(name, { signal, timeout: 10_000 }).json()))
setTimeout(() => shared.abort(), 20)
await Promise.all(last)
const listeners = { betweenCalls, afterAbort: getEventListeners(signal, 'abort').length }

await gateway.close()
forget()
// Sockets take a moment to close.
let left = readHandles()
for (let tries = 0; tries < 100 && left.join() !== baseline.join(); tries += 1) {
  await wait(20)
  left = readHandles()
}

const result: SoakResult = { ends, requests, baseline, left, listeners, heap }
console.log(JSON.stringify(result))

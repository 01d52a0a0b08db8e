/**
 * For test files that share a process: fails a file that leaves the process in a different state. Its leftovers would change
 * what later files test.
 */
import dns from 'node:dns'
import http from 'node:http'
import https from 'node:https'
import { afterAll, expect } from 'vitest'
// After the transport, which loads undici.
import '../../src/transport/index.ts'
import { replacedFetch } from '../../src/transport/replaced-fetch.ts'

const TIMERS = ['setTimeout', 'clearTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Date', 'performance']

/** What `src` reads or calls, and tests replace. */
const MEMBERS: readonly (readonly [object: object, name: string | symbol])[] = [
  ...['fetch', 'Request', 'Response', 'Headers', ...TIMERS].map((name) => [globalThis, name] as const),
  ...['1', '2'].map((version) => [globalThis, Symbol.for(`undici.globalDispatcher.${version}`)] as const),
  ...['log', 'info', 'warn', 'error'].map((name) => [console, name] as const),
  [http, 'request'],
  [https, 'request'],
  [dns, 'lookup'],
]

// Node.js sets its dispatcher at the first use of `fetch`.
await fetch('data:,')
const members = MEMBERS.map(([object, name]) => Reflect.get(object, name))
const readStore = () => (Reflect.get(globalThis, 'awslambda') as { InvokeStore?: unknown } | undefined)?.InvokeStore
const store = readStore()
const env = { ...process.env }
const countListeners = () => process.eventNames().map((event) => [event, process.listenerCount(event)])
const listeners = countListeners()
// Calls go through Node.js's own client, as `src` sees it.
expect(replacedFetch()).toBeUndefined()

afterAll(() => {
  for (const [index, [object, name]] of MEMBERS.entries()) {
    expect(Reflect.get(object, name), String(name)).toBe(members[index])
  }
  expect(readStore()).toBe(store)
  expect(process.env).toEqual(env)
  expect(countListeners()).toEqual(listeners)
})

import type { Fetch } from './fetch-transport.ts'

/** Keys of the global dispatcher of the built-in `fetch`. Each version of undici reads one of them. */
const DISPATCHERS = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')] as const

const globals: typeof globalThis & Record<symbol, object | undefined> = globalThis as never

/** The built-in `fetch` sets the dispatchers when it loads. `received-response.ts` has loaded it: `sender.ts` imports it first. */
const initialDispatchers = DISPATCHERS.map((symbol) => globals[symbol])

/** Whether the built-in `fetch` uses its own default agent. */
function hasPlainDispatcher(): boolean {
  return DISPATCHERS.every((symbol) => {
    const dispatcher = globals[symbol]
    const type = dispatcher?.constructor.name
    // undici 8 wraps the second dispatcher for older versions, and creates a new wrapper each time it is set.
    if (dispatcher === undefined || type === 'Dispatcher1Wrapper') return true
    return type === 'Agent' && initialDispatchers.includes(dispatcher)
  })
}

let lastFetch: Fetch | undefined
let isBuiltIn = false

/**
 * Returns global `fetch` if it has been replaced (by a mock or a tracer), or if it has another dispatcher (a mock or a
 * proxy). Returns undefined for the unchanged `fetch` of Node.js. In doubt, `fetch` counts as replaced.
 */
export function replacedFetch(): Fetch | undefined {
  const { fetch } = globalThis
  if (fetch !== lastFetch) {
    lastFetch = fetch
    // Node.js's own function loads Node.js's undici. No documented API detects it.
    isBuiltIn = String(fetch).includes('internal/deps/undici/undici')
  }
  return isBuiltIn && hasPlainDispatcher() ? undefined : fetch
}

/** Members of `init` that only a `fetch` supports. */
const FETCH_ONLY = ['dispatcher', 'integrity'] as const

/** The `fetch` that sends instead of Node.js's client, if any. */
export function findFetch(fetch: Fetch | undefined, init: RequestInit | undefined): Fetch | undefined {
  if (fetch !== undefined) return fetch
  return FETCH_ONLY.some((name) => init?.[name]) ? globalThis.fetch : replacedFetch()
}

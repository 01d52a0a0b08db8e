import { type Fetch, replacedFetch, sendByFetch } from './fetch-transport.ts'
import { createNodeTransport, type SendOptions, type WireRequest } from './node-transport.ts'
import type { ReceivedResponse } from './received-response.ts'

export { type Fetch, unlessAborted } from './fetch-transport.ts'
export {
  type RequestAddress,
  type SendOptions,
  serverName,
  type WireRequest,
  withoutBrackets,
} from './node-transport.ts'
export { type IdleLimit, ReceivedResponse, type SizeLimit, type ToError } from './received-response.ts'

export interface TransportOptions extends SendOptions {
  /** Sends in place of Node.js's client. Default: global `fetch`, where that has been replaced. */
  readonly fetch?: Fetch | undefined
  /** What else a `fetch` is to be given. */
  readonly init?: RequestInit | undefined
}

/** Shared by all clients of the process, as its connections are. */
const node = createNodeTransport()

/** Members of `init` that only a `fetch` knows what to do with. */
const FETCH_ONLY = ['dispatcher', 'integrity'] as const

/** What is to send in place of Node.js's client. */
function findFetch(fetch: Fetch | undefined, init: RequestInit | undefined): Fetch | undefined {
  if (fetch !== undefined) return fetch
  return FETCH_ONLY.some((name) => init?.[name]) ? globalThis.fetch : replacedFetch()
}

/** Whether Node.js's client sends, and not a `fetch`. */
export function sendsByNode({ fetch, init }: Pick<TransportOptions, 'fetch' | 'init'>): boolean {
  return findFetch(fetch, init) === undefined
}

/** Waits, where it must, until the process has seen which of its connections have ended: before `send`. */
export function ready({ fetch, init }: Pick<TransportOptions, 'fetch' | 'init'>): Promise<void> | undefined {
  return sendsByNode({ fetch, init }) ? node.ready() : undefined
}

/** Sends a request, over Node.js's own client unless a `fetch` is to be used. */
export function send(request: WireRequest, { fetch, init, ...options }: TransportOptions): Promise<ReceivedResponse> {
  const other = findFetch(fetch, init)
  return other === undefined ? node.send(request, options) : sendByFetch(other, request, options, init)
}

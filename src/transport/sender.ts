import { type Fetch, sendByFetch } from './fetch-transport.ts'
import { createNodeTransport, type SendOptions, type WireRequest } from './node-transport.ts'
import type { ReceivedResponse } from './received-response.ts'
// After the others: they load undici, whose first dispatchers this module reads.
import { findFetch } from './replaced-fetch.ts'

export interface TransportOptions extends SendOptions {
  /** Sends instead of Node.js's client. Default: global `fetch` if it has been replaced. */
  readonly fetch?: Fetch | undefined
  /** Further options for a `fetch`. */
  readonly init?: RequestInit | undefined
}

/** All clients of the process share the transport and its connections. */
const node = createNodeTransport()

/** Whether Node.js's client sends the request, and not a `fetch`. */
export function sendsByNode({ fetch, init }: Pick<TransportOptions, 'fetch' | 'init'>): boolean {
  return findFetch(fetch, init) === undefined
}

/** Waits, if needed, until the process has noticed closed connections. Called before `send`. */
export function ready({ fetch, init }: Pick<TransportOptions, 'fetch' | 'init'>): Promise<void> | undefined {
  return sendsByNode({ fetch, init }) ? node.ready() : undefined
}

/** Sends a request with Node.js's client, or with a `fetch` where one replaces it. */
export function send(request: WireRequest, { fetch, init, ...options }: TransportOptions): Promise<ReceivedResponse> {
  const other = findFetch(fetch, init)
  return other === undefined ? node.send(request, options) : sendByFetch(other, request, options, init)
}

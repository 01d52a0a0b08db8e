import { type Fetch, replacedFetch, sendByFetch } from './fetch-transport.ts'
import { createNodeTransport, type SendOptions, type WireRequest } from './node-transport.ts'
import type { ReceivedResponse } from './received-response.ts'

export { type Fetch, unlessAborted } from './fetch-transport.ts'
export type { RequestTarget, WireRequest } from './node-transport.ts'
export { ReceivedResponse, type ToError } from './received-response.ts'

export interface TransportOptions extends SendOptions {
  /** Sends in place of Node.js's client. Default: global `fetch`, where that has been replaced. */
  readonly fetch?: Fetch | undefined
  /** What else a `fetch` is to be given. */
  readonly init?: RequestInit | undefined
}

/** Shared by all clients of the process, as its connections are. */
const node = createNodeTransport()

/** Waits, where it must, until the process has seen which of its connections have ended: before `send`. */
export const ready: () => Promise<void> | undefined = node.ready

/** Sends a request, over Node.js's own client unless a `fetch` is to be used. */
export function send(request: WireRequest, { fetch, init, ...options }: TransportOptions): Promise<ReceivedResponse> {
  // A dispatcher is meant for the `fetch` that takes it.
  const replaced = fetch ?? (init?.dispatcher === undefined ? replacedFetch() : globalThis.fetch)
  return replaced === undefined ? node.send(request, options) : sendByFetch(replaced, request, options, init)
}

export type { IdleLimit } from './body-streams.ts'
export type { Fetch } from './fetch-transport.ts'
export {
  type RequestAddress,
  type SendOptions,
  type WireRequest,
  withoutBrackets,
} from './node-transport.ts'
export { ReceivedResponse, type SizeLimit, type ToError } from './received-response.ts'
export { ready, send, sendsByNode, type TransportOptions } from './sender.ts'
export { unlessAborted } from './unless-aborted.ts'

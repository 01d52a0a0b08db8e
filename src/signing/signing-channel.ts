import type { Channel } from 'node:diagnostics_channel'
import { channel } from '../transport/node.ts'

/** One signature, as a subscriber in this process is told of it. It holds the session token: for tests only. */
export interface SigningMessage {
  readonly signature: string
  readonly canonicalRequest: string
}

/** Where the signed fetch tells of each signature, as long as somebody listens: the local gateway compares with it. */
export const signingChannel: Channel = channel('middy-signed-services:sign')

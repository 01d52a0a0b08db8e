import { pipeline, type Readable, type Transform } from 'node:stream'
import zlib, { constants } from 'node:zlib'

/** Output comes as it is decoded, and a missing end is not an error, as with `fetch`. */
const ZLIB = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }
const BROTLI = { flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH }

const DECODERS: ReadonlyMap<string, (() => Transform) | undefined> = new Map([
  ['gzip', () => zlib.createGunzip(ZLIB)],
  ['x-gzip', () => zlib.createGunzip(ZLIB)],
  ['deflate', () => zlib.createInflate(ZLIB)],
  ['br', () => zlib.createBrotliDecompress(BROTLI)],
  // Node.js 22.15 and later.
  ['zstd', zlib.createZstdDecompress && (() => zlib.createZstdDecompress())],
])

/** Each coding could multiply the size by a thousand; `fetch` undoes as many. */
const MAX_CODINGS = 5

/**
 * Codings that `accept-encoding` offers. Not `deflate`: some services leave out the envelope that its decoder needs.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2
 */
export const ACCEPTED_CODINGS = 'gzip, br'

/** Undoes the codings that `contentEncoding` lists. A body with an unknown coding stays as it is. */
export function decode(body: Readable, contentEncoding: string): Readable {
  const decoders = contentEncoding
    .toLowerCase()
    .split(',')
    .map((coding) => DECODERS.get(coding.trim()))
  if (decoders.length > MAX_CODINGS || !decoders.every((create) => create !== undefined)) return body
  // The last coding was applied last.
  const streams = decoders.reverse().map((create) => create())
  return pipeline([body, ...streams], () => {}) as Transform
}

import { pipeline, type Readable, type Transform } from 'node:stream'
import zlib, { constants } from 'node:zlib'

/** Decoders emit output at once, and accept a body without an end, as `fetch` does. */
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

/** Limit of nested codings, as in `fetch`: each may multiply the size by a thousand. */
const MAX_CODINGS = 5

/**
 * Codings for `accept-encoding`. Without `deflate`: some services omit the header that its decoder requires.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2
 */
export const ACCEPTED_CODINGS = 'gzip, br'

/** Decodes the codings in `contentEncoding`. A body with an unknown coding stays encoded. */
export function decode(body: Readable, contentEncoding: string): Readable {
  const decoders = contentEncoding
    .toLowerCase()
    .split(',')
    .map((coding) => DECODERS.get(coding.trim()))
  if (decoders.length > MAX_CODINGS || !decoders.every((create) => create !== undefined)) return body
  // The last coding in the header was applied last.
  const streams = decoders.reverse().map((create) => create())
  return pipeline([body, ...streams], () => {}) as Transform
}

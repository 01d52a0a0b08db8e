import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import type { Sink } from './received-body.ts'

type Decompress = ReturnType<typeof createGunzip | typeof createInflate | typeof createBrotliDecompress>

/** Handed on as they come, and taken as they are where the end is missing, as `fetch` does. */
const ZLIB = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH }
const BROTLI = { flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH }

const DECODERS: Readonly<Record<string, (firstByte: number) => Decompress>> = {
  gzip: () => createGunzip(ZLIB),
  'x-gzip': () => createGunzip(ZLIB),
  // Some leave out the envelope.
  deflate: (firstByte) => ((firstByte & 0x0f) === 8 ? createInflate(ZLIB) : createInflateRaw(ZLIB)),
  br: () => createBrotliDecompress(BROTLI),
}

/** As many as `fetch` undoes: each could make a thousand bytes of one. */
const MAX_CODINGS = 5

/** Where the bytes of an answer with this `content-encoding` go, for `body` to get what they stand for. */
export function decodeInto(body: Sink, contentEncoding: string, abort: (reason: unknown) => void): Sink {
  const codings = contentEncoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
  // Left to whoever reads it.
  const isKnown = codings.length <= MAX_CODINGS && codings.every((coding) => Object.hasOwn(DECODERS, coding))
  if (!isKnown) return body
  return codings.reduce((next, coding) => new Decoder(DECODERS[coding] as (typeof DECODERS)[string], next, abort), body)
}

class Decoder implements Sink {
  onDrain!: () => void
  readonly #create: (firstByte: number) => Decompress
  readonly #next: Sink
  readonly #abort: (reason: unknown) => void
  #decompress: Decompress | undefined

  constructor(create: (firstByte: number) => Decompress, next: Sink, abort: (reason: unknown) => void) {
    this.#create = create
    this.#next = next
    this.#abort = abort
  }

  push(chunk: Buffer): boolean {
    this.#decompress ??= this.#open(chunk[0] as number)
    return this.#decompress.write(chunk)
  }

  end(): void {
    if (this.#decompress === undefined) this.#next.end()
    else this.#decompress.end()
  }

  fail(error: unknown): void {
    this.#decompress?.destroy()
    this.#next.fail(error)
  }

  #open(firstByte: number): Decompress {
    const decompress = this.#create(firstByte)
    decompress
      .on('data', (chunk: Buffer) => {
        if (!this.#next.push(chunk)) decompress.pause()
      })
      .on('drain', () => this.onDrain())
      .on('end', () => this.#next.end())
      .on('error', (cause) => this.#abort(new TypeError('terminated', { cause })))
    this.#next.onDrain = () => decompress.resume()
    return decompress
  }
}

import { PassThrough, pipeline, Readable } from 'node:stream'
import type { ReadableStream as WebStream } from 'node:stream/web'
// Imported, so that fake timers leave them alone.
import {
  clearImmediate,
  clearTimeout as clearRealTimeout,
  setImmediate,
  setTimeout as setRealTimeout,
} from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'

/** Everything of a response but its body. */
export interface ResponseHead {
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  /** URL of the request. */
  readonly url: string
}

/** What keeps the process alive for a body that is being read: its connection. */
export interface BodyHold {
  readonly ref: () => void
  readonly unref: () => void
}

/** Gives the error that reading a body rejects with for what its stream failed with. */
export type ToError = (error: unknown) => unknown

/** The longest time between two chunks of a body. */
export interface IdleLimit {
  readonly ms: number
  /** Called when it has passed. */
  readonly expire: () => void
}

/** The most bytes that reading a whole body may take. */
export interface SizeLimit {
  readonly bytes: number
  readonly createError: (response: Response) => unknown
}

export interface ResponseLimits {
  readonly toError: ToError
  readonly hold?: BodyHold | undefined
  readonly idle?: IdleLimit | undefined
  readonly size?: SizeLimit | undefined
  /** Called when somebody begins to read the body. */
  readonly onRead?: (() => void) | undefined
}

/** Bytes that are taken off the connection of a body that nobody reads. A smaller body frees its connection. */
const READ_AHEAD = 65_536

/** Milliseconds after which a larger body that nobody reads gives up its connection. */
const UNREAD_MS = 30_000

/** TypeScript lets no subclass put accessors in place of the properties that `Response` declares. */
const NativeResponse: new () => object = Response

/**
 * A `Response` over a Node.js stream. Reading the whole body collects the stream's bytes directly; all other members read
 * from a native `Response` around the stream, which costs several times the CPU time.
 */
export class ReceivedResponse extends NativeResponse implements Response {
  readonly #head: ResponseHead
  readonly #limits: ResponseLimits
  /** What the transport gave: destroying it lets go of the connection. */
  readonly #received: Readable | null
  /** What the body is read from: `#received`, or a stream behind it. */
  #source: Readable | null
  #ahead: NodeJS.Immediate | undefined
  #unread: NodeJS.Timeout | undefined
  /** Somebody reads the body. */
  #isReading = false
  /** A method that takes the whole body was called: it cannot be read again. */
  #isCollected = false
  /** Made when the body is asked for as a stream. */
  #native: Response | undefined
  #listener: ((error: unknown) => void) | undefined

  constructor(head: ResponseHead, received: Readable | null, limits: ResponseLimits) {
    super()
    const { toError, idle } = limits
    const source = received !== null && idle !== undefined ? limitIdle(received, idle) : received
    this.#head = head
    this.#received = source
    this.#source = source
    this.#limits = limits
    if (source === null) return
    // A body that fails unread must not end the process.
    source
      .on('error', () => {})
      .once('close', () => {
        clearRealTimeout(this.#unread)
        // Before any reader of the body sees the error.
        this.#end(this.#isReading && source.errored ? toError(source.errored) : undefined)
      })
    this.#readAheadSoon()
  }

  /**
   * The beginning of the body, which stays unread: at most `maxBytes`, as far as they come within `ms` milliseconds and
   * until `isEnough` says so.
   */
  async peek(maxBytes: number, ms: number, isEnough: (text: string) => boolean): Promise<string> {
    if (this.#isStreamed || this.#isReading) return ''
    const chunks = this.#startReading()[Symbol.asyncIterator]()
    const head: Buffer[] = []
    const time = new AbortController()
    const timeUp = sleep(ms, undefined, { signal: time.signal, ref: false }).catch(() => undefined)
    let next: Promise<IteratorResult<Buffer>> | undefined
    let text = ''
    while (text.length < maxBytes && !isEnough(text)) {
      next = chunks.next()
      const result = await Promise.race([next, timeUp]).catch(() => undefined)
      if (result === undefined || result.done) break
      next = undefined
      head.push(result.value)
      text = Buffer.concat(head).toString('utf8', 0, maxBytes)
    }
    time.abort()
    this.#source = Readable.from(continueFrom(head, next, chunks), { objectMode: false }).on('error', () => {})
    this.#isReading = false
    this.#readAheadSoon()
    return text
  }

  /** Cuts the body after so many bytes, with `mark` in place of the rest. */
  truncate(maxBytes: number, mark: string): void {
    if (this.#source === null || this.#isStreamed) return
    this.#source = Readable.from(cut(this.#source, maxBytes, mark), { objectMode: false }).on('error', () => {})
  }

  /** Calls `listener` when nothing more of the body will come, with the error that reading it failed with. */
  onEnd(listener: (error: unknown) => void): void {
    this.#listener = listener
    if (this.#received === null || this.#received.closed) this.#end(undefined)
  }

  get status(): number {
    return this.#head.status
  }

  get statusText(): string {
    return this.#head.statusText
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300
  }

  get headers(): Headers {
    return this.#head.headers
  }

  get url(): string {
    return this.#head.url
  }

  get type(): Response['type'] {
    return 'basic'
  }

  get redirected(): boolean {
    return false
  }

  get body(): Response['body'] {
    return this.#streamed.body
  }

  get bodyUsed(): boolean {
    return this.#isCollected || (this.#native?.bodyUsed ?? false)
  }

  async text(): Promise<string> {
    const whole = await this.#collect()
    if (whole === undefined) return this.#streamed.text()
    const text = whole.toString()
    return text.startsWith('\ufeff') ? text.slice(1) : text
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array((await this.#collect()) ?? (await this.#streamed.arrayBuffer()))
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer
  }

  async blob(): Promise<Blob> {
    return (await this.#toNative()).blob()
  }

  async formData(): Promise<FormData> {
    return (await this.#toNative()).formData()
  }

  clone(): ReceivedResponse {
    const { body } = this.#streamed.clone()
    const head = { ...this.#head, headers: new Headers(this.headers) }
    // What it reads fails with the original's errors.
    const limits = { toError: (error: unknown) => error, size: this.#limits.size }
    const clone = new ReceivedResponse(head, body && Readable.fromWeb(body as WebStream), limits)
    // Both share one connection, which the original alone lets go of.
    clone.#isReading = true
    return clone
  }

  /** The whole body in a native `Response`, which knows how to take it apart. */
  async #toNative(): Promise<Response> {
    const whole = await this.#collect()
    return whole === undefined ? this.#streamed : new Response(new Uint8Array(whole), { headers: this.headers })
  }

  /** Whether the body is read by the native `Response`, or not at all. */
  get #isStreamed(): boolean {
    return this.#source === null || this.#isCollected || this.#native !== undefined
  }

  get #streamed(): Response {
    if (this.#native === undefined) {
      this.#native = new Response(this.#toStream(), { headers: this.headers })
      // The body has been collected: every further reader must find it locked.
      if (this.#isCollected) this.#native.body?.getReader()
    }
    return this.#native
  }

  #toStream(): ReadableStream<Uint8Array> | null {
    if (this.#source === null) return null
    let chunks: AsyncIterator<Buffer> | undefined
    return new ReadableStream({
      type: 'bytes',
      pull: async (controller) => {
        try {
          chunks ??= this.#startReading()[Symbol.asyncIterator]()
          const { done, value } = await chunks.next()
          // A copy: the stream takes a chunk's memory, which others may share.
          if (!done) return controller.enqueue(new Uint8Array(value))
          this.#end(undefined)
          controller.close()
          controller.byobRequest?.respond(0)
        } catch (error) {
          controller.error(this.#fail(error))
        }
      },
      cancel: () => {
        this.#end(undefined)
        this.#source?.destroy()
        // A stream behind it may wait for a chunk that never comes.
        this.#received?.destroy()
      },
    })
  }

  /** Lets go of a small body's connection, and of the process: nobody may ever read the body. */
  #readAheadSoon(): void {
    // A look at the beginning may be over before the turn of the one that was asked for first.
    clearImmediate(this.#ahead)
    this.#ahead = setImmediate(() => {
      if (this.#isReading || this.#source === null) return
      this.#source = pipeline(this.#source, new PassThrough({ highWaterMark: READ_AHEAD }), () => {})
      this.#limits.hold?.unref()
      if (!this.#received?.closed) {
        this.#unread = setRealTimeout(() => this.#received?.destroy(), UNREAD_MS).unref()
      }
    })
  }

  #startReading(): Readable {
    this.#isReading = true
    clearRealTimeout(this.#unread)
    this.#limits.hold?.ref()
    this.#limits.onRead?.()
    return this.#source as Readable
  }

  #fail(error: unknown): unknown {
    const failure = this.#limits.toError(error)
    this.#end(failure)
    return failure
  }

  #end(error: unknown): void {
    this.#listener?.(error)
    this.#listener = undefined
  }

  /** The whole body; undefined where the native `Response` must say that it cannot be read. */
  async #collect(): Promise<Buffer | undefined> {
    if (this.#source === null || this.#isCollected) return undefined
    if (this.#native === undefined) {
      this.#isCollected = true
      return this.#collectFrom(this.#startReading())
    }
    const { body, bodyUsed } = this.#native
    return bodyUsed || !body || body.locked ? undefined : this.#collectFrom(Readable.fromWeb(body as WebStream))
  }

  #collectFrom(source: Readable): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(this.#fail(source.errored ?? new Error('the response was closed')))
      if (source.destroyed) return fail()
      const limit = this.#limits.size
      const parts: Buffer[] = []
      const chunks: Buffer[] = []
      let size = 0
      source
        .on('data', (chunk: Buffer) => {
          if (chunks.push(chunk) === MAX_CHUNKS) parts.push(Buffer.concat(chunks.splice(0)))
          size += chunk.length
          if (limit === undefined || size <= limit.bytes) return
          // At once: the stream of a clone waits with its own end for the original's.
          reject(this.#fail(limit.createError(this)))
          source.destroy()
        })
        .on('error', fail)
        .on('end', () => {
          this.#end(undefined)
          parts.push(...chunks)
          resolve(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts))
        })
        .on('close', () => {
          if (!source.readableEnded) fail()
        })
    })
  }
}

/** A body may come byte by byte. Each chunk costs a hundred bytes, and keeps what else was read with it. */
const MAX_CHUNKS = 1_000

/** The same stream, watched. While its reader holds it back, no time is counted. */
function limitIdle(source: Readable, { ms, expire }: IdleLimit): Readable {
  const timer = setTimeout(() => {
    if (source.isPaused()) timer.refresh()
    else expire()
  }, ms).unref()
  const watched = new PassThrough()
  source.on('data', () => timer.refresh())
  return pipeline(source, watched, () => clearTimeout(timer))
}

/** What was read of a stream, and then the rest of it. */
async function* continueFrom(
  head: readonly Buffer[],
  next: Promise<IteratorResult<Buffer>> | undefined,
  chunks: AsyncIterator<Buffer>,
): AsyncGenerator<Buffer> {
  try {
    yield* head
    for (let result = await (next ?? chunks.next()); !result.done; result = await chunks.next()) yield result.value
  } finally {
    await chunks.return?.()
  }
}

async function* cut(source: Readable, maxBytes: number, mark: string): AsyncGenerator<Buffer> {
  let left = maxBytes
  for await (const chunk of source as AsyncIterable<Buffer>) {
    if (chunk.length > left) {
      yield chunk.subarray(0, left)
      yield Buffer.from(mark)
      return
    }
    left -= chunk.length
    yield chunk
  }
}

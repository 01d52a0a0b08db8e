import { PassThrough, pipeline, Readable } from 'node:stream'
import type { ReadableStream as WebStream } from 'node:stream/web'
// Imported, because fake timers replace the global functions.
import {
  clearImmediate,
  clearTimeout as clearRealTimeout,
  setImmediate,
  setTimeout as setRealTimeout,
} from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'
import { continueFrom, cut, type IdleLimit, limitIdle } from './body-streams.ts'

/** A response without its body. */
export interface ResponseHead {
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  /** URL of the request. */
  readonly url: string
}

/** References the connection of a body, so that the process stays alive while the body is read. */
export interface BodyHold {
  readonly ref: () => void
  readonly unref: () => void
}

/** Converts an error of the body's stream to the error that the reader gets. */
export type ToError = (error: unknown) => unknown

/** Limit in bytes for reading a whole body. */
export interface SizeLimit {
  readonly bytes: number
  readonly createError: (response: Response) => unknown
}

export interface ResponseLimits {
  readonly toError: ToError
  readonly hold?: BodyHold | undefined
  readonly idle?: IdleLimit | undefined
  readonly size?: SizeLimit | undefined
  /** Called when reading of the body starts. */
  readonly onRead?: (() => void) | undefined
}

/** Bytes that are read ahead of an unread body. A smaller body frees its connection. */
const READ_AHEAD = 65_536

/** Milliseconds after which the connection of a larger unread body is closed. */
const UNREAD_MS = 30_000

/** As a class without members: TypeScript forbids accessors in place of the properties that `Response` declares. */
const NativeResponse: new () => object = Response

/**
 * A `Response` over a Node.js stream. A method that reads the whole body collects the stream's bytes directly. Other
 * members use a native `Response` around the stream, which costs several times the CPU time.
 */
export class ReceivedResponse extends NativeResponse implements Response {
  readonly #head: ResponseHead
  readonly #limits: ResponseLimits
  /** The stream of the transport. Destroying it frees the connection. */
  readonly #received: Readable | null
  /** The stream that the body is read from: `#received`, or a stream that reads from it. */
  #source: Readable | null
  #readAheadTimer: NodeJS.Immediate | undefined
  #unreadTimer: NodeJS.Timeout | undefined
  /** True after reading of the body has started. */
  #isReading = false
  /** True after a method has read the whole body: it cannot be read again. */
  #isCollected = false
  /** Created when the caller uses the body as a stream. */
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
    // An error of an unread body must not end the process.
    source
      .on('error', () => {})
      .once('close', () => {
        clearRealTimeout(this.#unreadTimer)
        // Before any reader of the body sees the error.
        this.#end(this.#isReading && source.errored ? toError(source.errored) : undefined)
      })
    this.#readAheadSoon()
  }

  /**
   * Returns the beginning of the body without consuming it. Stops after `maxBytes` bytes, after `ms` milliseconds, or
   * when `isEnough` returns true.
   */
  async peek(maxBytes: number, ms: number, isEnough: (text: string) => boolean): Promise<string> {
    if (this.#source === null || this.#isTaken || this.#isReading) return ''
    const chunks = this.#startReading()[Symbol.asyncIterator]()
    const head: Buffer[] = []
    const time = new AbortController()
    const timeUp = sleep(ms, undefined, { signal: time.signal }).catch(() => undefined)
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
    this.#source = Readable.from(continueFrom(head, next, chunks), { objectMode: false })
    this.#isReading = false
    this.#readAheadSoon()
    return text
  }

  /** Cuts the body after `maxBytes` bytes, and puts `mark` in place of the rest. */
  truncate(maxBytes: number, mark: string): void {
    if (this.#source === null || this.#isTaken) return
    this.#source = Readable.from(cut(this.#source, maxBytes, mark), { objectMode: false })
  }

  /** Calls `listener` when the body has ended, with the error of reading it, if any. */
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
    return this.#nativeResponse.body
  }

  get bodyUsed(): boolean {
    return this.#isCollected || (this.#native?.bodyUsed ?? false)
  }

  async text(): Promise<string> {
    const whole = await this.#collect()
    if (whole === undefined) return this.#nativeResponse.text()
    const text = whole.toString()
    return text.startsWith('\ufeff') ? text.slice(1) : text
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array((await this.#collect()) ?? (await this.#nativeResponse.arrayBuffer()))
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
    const { body } = this.#nativeResponse.clone()
    const head = { ...this.#head, headers: new Headers(this.headers) }
    // Its stream already fails with the errors of the original.
    const limits = { toError: (error: unknown) => error, size: this.#limits.size }
    const clone = new ReceivedResponse(head, body && Readable.fromWeb(body as WebStream), limits)
    // Both share one connection. Only the original frees it.
    clone.#isReading = true
    return clone
  }

  /** The whole body in a native `Response`, which can parse it. */
  async #toNative(): Promise<Response> {
    const whole = await this.#collect()
    return whole === undefined ? this.#nativeResponse : new Response(new Uint8Array(whole), { headers: this.headers })
  }

  /** Whether only the native `Response` can read the body, or no reader can. */
  get #isTaken(): boolean {
    return this.#isCollected || this.#native !== undefined
  }

  get #nativeResponse(): Response {
    if (this.#native === undefined) {
      this.#native = new Response(this.#toStream(), { headers: this.headers })
      // The body has been read: locks the stream for every further reader.
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
          // A copy: the stream transfers the chunk's buffer, which may be shared with other chunks.
          if (!done) return controller.enqueue(new Uint8Array(value))
          controller.close()
          controller.byobRequest?.respond(0)
        } catch (error) {
          controller.error(this.#fail(error))
        }
      },
      cancel: () => {
        this.#end(undefined)
        this.#source?.destroy()
        // Also the transport's stream: `#source` may wait for a chunk of it that never arrives.
        this.#received?.destroy()
      },
    })
  }

  /** Frees the connection of a small body, and lets the process end: the body may never be read. */
  #readAheadSoon(): void {
    // `peek` may end before the first read-ahead has started.
    clearImmediate(this.#readAheadTimer)
    this.#readAheadTimer = setImmediate(() => {
      if (this.#isReading || this.#source === null) return
      this.#source = pipeline(this.#source, new PassThrough({ highWaterMark: READ_AHEAD }), () => {})
      this.#limits.hold?.unref()
      if (!this.#received?.closed) {
        this.#unreadTimer = setRealTimeout(() => this.#received?.destroy(), UNREAD_MS).unref()
      }
    })
  }

  #startReading(): Readable {
    this.#isReading = true
    clearRealTimeout(this.#unreadTimer)
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

  /** The whole body. Undefined if the native `Response` must throw the error that the body cannot be read. */
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
          // Rejects at once: the stream of a clone ends only after the original's.
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

/**
 * Chunks before they are merged: a body may arrive byte by byte. Each chunk costs a hundred bytes and keeps its whole
 * buffer in memory.
 */
const MAX_CHUNKS = 1_000

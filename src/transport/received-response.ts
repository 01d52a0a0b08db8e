import { PassThrough, pipeline, type Readable } from 'node:stream'
// Imported, so that fake timers leave it alone.
import { setImmediate } from 'node:timers'

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

/** Bytes that are taken off the connection of a body that nobody reads. A smaller body frees its connection. */
const READ_AHEAD = 65_536

/** TypeScript lets no subclass put accessors in place of the properties that `Response` declares. */
const NativeResponse: new () => object = Response

/**
 * A `Response` over a Node.js stream. Reading the whole body collects the stream's bytes directly; all other members read
 * from a native `Response` around the stream, which costs several times the CPU time.
 */
export class ReceivedResponse extends NativeResponse implements Response {
  readonly #head: ResponseHead
  readonly #toError: ToError
  readonly #hold: BodyHold | undefined
  #source: Readable | null
  /** Somebody reads the body. */
  #isReading = false
  /** Somebody has asked for the whole of it. */
  #isCollected = false
  /** Made when the body is asked for as a stream. */
  #native: Response | undefined
  #listener: ((error: unknown) => void) | undefined

  constructor(head: ResponseHead, source: Readable | null, toError: ToError, hold?: BodyHold) {
    super()
    this.#head = head
    this.#source = source
    this.#toError = toError
    this.#hold = hold
    if (source === null) return
    // A body that fails unread must not end the process.
    source
      .on('error', () => {})
      .once('close', () => {
        // Before any reader of the body sees the error.
        this.#end(this.#isReading && source.errored ? toError(source.errored) : undefined)
      })
    setImmediate(() => {
      if (!this.#isReading) this.#readAhead(source)
    })
  }

  /** Calls `listener` when nothing more of the body will come, with the error that reading it failed with. */
  onEnd(listener: (error: unknown) => void): void {
    this.#listener = listener
    if (this.#source === null || this.#source.closed) this.#end(undefined)
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
    if (this.#isStreamed) return this.#streamed.text()
    const text = (await this.#collect()).toString()
    return text.startsWith('\ufeff') ? text.slice(1) : text
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await (this.#isStreamed ? this.#streamed.arrayBuffer() : this.#collect()))
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer
  }

  blob(): Promise<Blob> {
    return this.#streamed.blob()
  }

  formData(): Promise<FormData> {
    return this.#streamed.formData()
  }

  clone(): ReceivedResponse {
    const clone = new ReceivedResponse({ ...this.#head, headers: new Headers(this.headers) }, null, this.#toError)
    clone.#native = this.#streamed.clone()
    return clone
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
      },
    })
  }

  /** Lets go of a small body's connection, and of the process: nobody may ever read the body. */
  #readAhead(source: Readable): void {
    this.#source = pipeline(source, new PassThrough({ highWaterMark: READ_AHEAD }), () => {})
    this.#hold?.unref()
  }

  #startReading(): Readable {
    this.#isReading = true
    this.#hold?.ref()
    return this.#source as Readable
  }

  #fail(error: unknown): unknown {
    const failure = this.#toError(error)
    this.#end(failure)
    return failure
  }

  #end(error: unknown): void {
    this.#listener?.(error)
    this.#listener = undefined
  }

  #collect(): Promise<Buffer> {
    this.#isCollected = true
    const source = this.#startReading()
    return new Promise((resolve, reject) => {
      const fail = () => reject(this.#fail(source.errored ?? new Error('the response was closed')))
      if (source.destroyed) return fail()
      const chunks: Buffer[] = []
      source
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => {
          this.#end(undefined)
          resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))
        })
        .on('close', () => {
          if (!source.readableEnded) fail()
        })
    })
  }
}

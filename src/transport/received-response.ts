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

/** Gives the error that reading a body rejects with for what its stream failed with. */
export type ToError = (error: unknown) => unknown

/** The longest time between two chunks of a body. */
export interface IdleLimit {
  readonly ms: number
  /** Called when it has passed. */
  readonly expire: () => void
}

export interface ResponseLimits {
  readonly toError: ToError
  readonly idle?: IdleLimit | undefined
}

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
  #source: Readable | null
  #isCollected = false
  /** Made when the body is asked for as a stream. */
  #native: Response | undefined
  #listener: ((error: unknown) => void) | undefined

  constructor(head: ResponseHead, received: Readable | null, { toError, idle }: ResponseLimits) {
    super()
    const source = received !== null && idle !== undefined ? limitIdle(received, idle) : received
    this.#head = head
    this.#source = source
    this.#toError = toError
    if (source === null) return
    // A body that fails unread must not end the process.
    source
      .on('error', () => {})
      .once('close', () => {
        // Before any reader of the body sees the error.
        this.#end(this.#isRead && source.errored ? toError(source.errored) : undefined)
      })
    setImmediate(() => {
      if (!this.#isRead) this.#source = pipeline(source, new PassThrough({ highWaterMark: READ_AHEAD }), () => {})
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
    if (this.#source === null || this.#isRead) return this.#streamed.text()
    const text = (await this.#collect(this.#source)).toString()
    return text.startsWith('\ufeff') ? text.slice(1) : text
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#source === null || this.#isRead) return new Uint8Array(await this.#streamed.arrayBuffer())
    return new Uint8Array(await this.#collect(this.#source))
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
    const clone = new ReceivedResponse({ ...this.#head, headers: new Headers(this.headers) }, null, {
      toError: this.#toError,
    })
    clone.#native = this.#streamed.clone()
    return clone
  }

  get #isRead(): boolean {
    return this.#isCollected || this.#native !== undefined
  }

  get #streamed(): Response {
    this.#native ??= new Response(this.#toStream(), { headers: this.headers })
    return this.#native
  }

  #toStream(): ReadableStream<Uint8Array> | null {
    if (this.#source === null) return null
    const source = this.#source
    const chunks = source[Symbol.asyncIterator]()
    const stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const { done, value } = await chunks.next()
            if (!done) return controller.enqueue(value)
            this.#end(undefined)
            controller.close()
          } catch (error) {
            controller.error(this.#fail(error))
          }
        },
        cancel: () => {
          this.#end(undefined)
          source.destroy()
        },
      },
      { highWaterMark: 0 },
    )
    // The body has been collected: every further reader must find it locked.
    if (this.#isCollected) stream.getReader()
    return stream
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

  #collect(source: Readable): Promise<Buffer> {
    this.#isCollected = true
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

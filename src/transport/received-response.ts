import type { ReceivedBody } from './received-body.ts'

/** What comes before an answer's body. */
interface Head {
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  /** Of the request. */
  readonly url: URL
}

/** What `Response` declares as properties, a subclass could not define otherwise. */
const NativeResponse: new () => object = Response

/** A Response as `fetch` gives it, which makes no stream of its body for those who want it in one piece. */
export class ReceivedResponse extends NativeResponse implements Response {
  readonly #head: Head
  readonly #received: ReceivedBody | null
  #isRead = false
  /** Has the body as a stream, for whoever wants more than the whole. */
  #streamed: Response | undefined

  constructor(head: Head, received: ReceivedBody | null, streamed?: Response) {
    super()
    this.#head = head
    this.#received = received
    this.#streamed = streamed
  }

  get status(): number {
    return this.#head.status
  }

  get statusText(): string {
    return this.#head.statusText
  }

  get ok(): boolean {
    // Below 200, there is no answer yet.
    return this.status < 300
  }

  get headers(): Headers {
    return this.#head.headers
  }

  get url(): string {
    return this.#head.url.href.split('#', 1)[0] as string
  }

  get type(): Response['type'] {
    return 'basic'
  }

  get redirected(): boolean {
    return false
  }

  get body(): Response['body'] {
    return this.#source.body
  }

  get bodyUsed(): boolean {
    return this.#isRead || (this.#streamed?.bodyUsed ?? false)
  }

  async text(): Promise<string> {
    const received = this.#take()
    return received === undefined ? this.#source.text() : toText(await received.whole())
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text())
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const received = this.#take()
    return received === undefined ? new Uint8Array(await this.#source.arrayBuffer()) : toBytes(await received.whole())
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer
  }

  blob(): Promise<Blob> {
    return this.#source.blob()
  }

  formData(): Promise<FormData> {
    return this.#source.formData()
  }

  clone(): ReceivedResponse {
    const streamed = this.#source.clone()
    return new ReceivedResponse({ ...this.#head, headers: new Headers(this.headers) }, null, streamed)
  }

  /** The body, for the first one who wants it whole. */
  #take(): ReceivedBody | undefined {
    if (this.#isRead || this.#streamed !== undefined || this.#received === null) return undefined
    this.#isRead = true
    return this.#received
  }

  get #source(): Response {
    this.#streamed ??= this.#isRead ? createReadResponse() : this.#stream()
    return this.#streamed
  }

  #stream(): Response {
    return new Response(this.#received?.stream() ?? null, { headers: this.headers })
  }
}

/** One whose body somebody is reading. */
function createReadResponse(): Response {
  const response = new Response(new ReadableStream())
  ;(response.body as ReadableStream).getReader()
  return response
}

function toText(chunks: readonly Buffer[]): string {
  // Stryker disable next-line ConditionalExpression: one chunk can be put together, too, at a cost.
  const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
  const text = bytes.toString()
  // A byte order mark is none of the text.
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

/** In memory of their own. */
function toBytes(chunks: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

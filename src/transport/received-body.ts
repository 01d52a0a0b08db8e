/** What takes the bytes of an answer as they come in. */
export interface Sink {
  /** Called for more, after `push` has had enough. */
  onDrain: () => void
  /** False: enough for now. */
  push(chunk: Buffer): boolean
  end(): void
  fail(error: unknown): void
}

/** Bytes that wait for somebody to ask for them. */
const READ_AHEAD = 65_536

/** The bytes of an answer: in one piece for those who want it whole, otherwise as a stream. */
export class ReceivedBody implements Sink {
  onDrain: () => void = () => {}
  readonly #abort: (reason: unknown) => void
  #chunks: Buffer[] = []
  #size = 0
  #limit = READ_AHEAD
  #hasEnded = false
  #failure: { readonly error: unknown } | undefined
  /** Whoever reads hears of everything that comes. */
  #onChange: (() => void) | undefined

  /** `abort` gives up what is yet to come. */
  constructor(abort: (reason: unknown) => void) {
    this.#abort = abort
  }

  push(chunk: Buffer): boolean {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    this.#onChange?.()
    return this.#size < this.#limit
  }

  end(): void {
    this.#hasEnded = true
    this.#onChange?.()
  }

  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#onChange?.()
  }

  whole(): Promise<readonly Buffer[]> {
    this.#limit = Number.POSITIVE_INFINITY
    return new Promise((resolve, reject) => {
      this.#onChange = () => {
        if (this.#failure !== undefined) reject(this.#failure.error)
        else if (this.#hasEnded) resolve(this.#chunks)
      }
      this.#onChange()
      this.onDrain()
    })
  }

  stream(): ReadableStream<Uint8Array> {
    const failWith = (controller: ReadableByteStreamController) => () => {
      if (this.#failure !== undefined) controller.error(this.#failure.error)
    }
    return new ReadableStream({
      type: 'bytes',
      start: (controller) => {
        this.#onChange = failWith(controller)
        this.#onChange()
      },
      pull: (controller) =>
        new Promise<void>((resolve) => {
          this.#onChange = () => {
            if (this.#failure !== undefined) controller.error(this.#failure.error)
            else if (this.#chunks.length > 0) this.#handOver(controller)
            else if (this.#hasEnded) close(controller)
            else return
            this.#onChange = failWith(controller)
            resolve()
          }
          this.#onChange()
        }),
      cancel: (reason) => {
        this.#onChange = undefined
        this.#abort(reason)
      },
    })
  }

  #handOver(controller: ReadableByteStreamController): void {
    // Copied, because the stream takes the memory away, and what came in beside it lies there, too.
    for (const chunk of this.#chunks.splice(0)) controller.enqueue(new Uint8Array(chunk))
    this.#size = 0
    this.onDrain()
  }
}

function close(controller: ReadableByteStreamController): void {
  controller.close()
  controller.byobRequest?.respond(0)
}

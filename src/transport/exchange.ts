import type { Dispatcher } from 'undici'
import { decodeInto } from './content-coding.ts'
import { ReceivedBody, type Sink } from './received-body.ts'
import { ReceivedResponse } from './received-response.ts'

/** Whose answer it is, and who ends it. */
interface Asked {
  readonly method: string
  readonly url: URL
  readonly signal: AbortSignal | null | undefined
}

/** Statuses of answers without a body. */
const NULL_BODY: readonly number[] = [204, 205, 304]

/** One request on its way, as undici tells of it: gives a Response as soon as there is a head, and then its body. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #asked: Asked
  readonly #resolve: (response: Response) => void
  readonly #reject: (reason: unknown) => void
  #controller: Dispatcher.DispatchController | undefined
  #sink: Sink | undefined

  constructor(asked: Asked, resolve: (response: Response) => void, reject: (reason: unknown) => void) {
    this.#asked = asked
    this.#resolve = resolve
    this.#reject = reject
    asked.signal?.addEventListener('abort', this.#onAbort)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // It may have waited for a connection meanwhile.
    const { signal } = this.#asked
    if (signal?.aborted) controller.abort(signal.reason)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    received: Readonly<Record<string, string | string[] | undefined>>,
    statusText: string,
  ): void {
    // An interim answer, before the one that counts.
    if (status < 200) return
    const { method, url } = this.#asked
    const headers = new Headers()
    for (const name of Object.keys(received)) {
      const value = received[name] as string | string[]
      if (typeof value === 'string') headers.append(name, value)
      else for (const one of value) headers.append(name, one)
    }
    const body = method === 'HEAD' || NULL_BODY.includes(status) ? null : new ReceivedBody(this.#abort)
    if (body !== null) {
      const encoding = headers.get('content-encoding')
      this.#sink = encoding === null ? body : decodeInto(body, encoding, this.#abort)
      this.#sink.onDrain = () => controller.resume()
    }
    this.#resolve(new ReceivedResponse({ status, statusText, headers, url }, body))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#sink?.push(chunk) === false) controller.pause()
  }

  onResponseEnd(): void {
    this.#release()
    this.#sink?.end()
  }

  onResponseError(_controller: unknown, cause: Error): void {
    this.#fail(new TypeError(this.#sink === undefined ? 'fetch failed' : 'terminated', { cause }))
  }

  readonly #onAbort = () => this.#abort((this.#asked.signal as AbortSignal).reason)

  readonly #abort = (reason: unknown) => {
    this.#fail(reason)
    this.#controller?.abort(reason as Error)
  }

  /** Whichever of the two still waits; to the other one it is nothing. */
  #fail(error: unknown): void {
    this.#release()
    this.#reject(error)
    this.#sink?.fail(error)
  }

  #release(): void {
    this.#asked.signal?.removeEventListener('abort', this.#onAbort)
  }
}

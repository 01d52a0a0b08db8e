import { MAX_TIMER_MS } from '../config/index.ts'
import {
  deadlineError,
  type FailingCall,
  idleTimeoutError,
  ServiceRequestError,
  timeoutError,
} from '../errors/index.ts'
import { forwardAbort } from './abort.ts'

/** Signal and timeouts of one call, from its options. */
export interface BoundOptions {
  readonly signal?: AbortSignal | null | undefined
  /** Milliseconds that an attempt may take, headers and body together. False: only the deadline limits it. */
  readonly timeout?: number | false | undefined
  /** Milliseconds that the whole call may take. */
  readonly totalTimeout?: number | false | undefined
}

/**
 * What ends a call: the deadline of the invocation, the total timeout, and the caller's signal. The reason of its signal is
 * the error that the call throws.
 */
export class CallBounds {
  readonly #call: FailingCall
  readonly #untilDeadline: () => number
  readonly #startedAt: number = performance.now()
  /** Milliseconds until the deadline when the call started. */
  readonly #untilDeadlineAtStart: number
  readonly #controller = new AbortController()
  readonly #cleanUps: (() => void)[] = []
  #totalTimeout: number | undefined
  /** The call itself, and attempts with an open body. At 0, timers and listeners are removed. */
  #users = 1

  constructor(call: FailingCall, untilDeadline: () => number = () => Number.POSITIVE_INFINITY) {
    this.#call = call
    this.#untilDeadline = untilDeadline
    this.#untilDeadlineAtStart = untilDeadline()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get durationMs(): number {
    return performance.now() - this.#startedAt
  }

  /** Milliseconds left for the call. */
  get remaining(): number {
    const total = this.#totalTimeout === undefined ? Number.POSITIVE_INFINITY : this.#totalTimeout - this.durationMs
    return Math.min(this.#untilDeadline(), total)
  }

  /**
   * Starts the timers, and follows the caller's signal.
   * @throws ServiceRequestError for an invalid timeout
   */
  start({ signal, timeout, totalTimeout = false }: BoundOptions & { readonly timeout: number | false }): void {
    for (const [name, ms] of Object.entries({ timeout, totalTimeout })) {
      if (ms !== false && !(ms > 0 && ms <= MAX_TIMER_MS)) {
        throw new ServiceRequestError(this.#call, `the ${name} must be false or between 0 and ${MAX_TIMER_MS} ms`)
      }
    }
    if (signal) this.#cleanUps.push(forwardAbort(signal, this.#controller))
    if (this.#untilDeadlineAtStart <= MAX_TIMER_MS) this.#abortAfter(this.#untilDeadlineAtStart, () => this.#late())
    if (totalTimeout !== false) {
      this.#totalTimeout = totalTimeout
      this.#abortAfter(totalTimeout, () => timeoutError(this.#call, totalTimeout))
    }
  }

  /** Throws the error of the call if no time is left for it. */
  check(): void {
    if (this.#untilDeadline() <= 0) throw this.#late()
    if (this.remaining <= 0) throw timeoutError(this.#call, this.#totalTimeout as number)
  }

  abort(reason: Error): void {
    this.#controller.abort(reason)
  }

  hold(): void {
    this.#users += 1
  }

  release(): void {
    this.#users -= 1
    if (this.#users === 0) for (const cleanUp of this.#cleanUps) cleanUp()
  }

  #late(): Error {
    return deadlineError(this.#call, this.#untilDeadlineAtStart)
  }

  #abortAfter(ms: number, createReason: () => Error): void {
    // Unreferenced: a response that is never read must not keep the process alive.
    const timer = setTimeout(() => this.#controller.abort(createReason()), Math.max(0, ms)).unref()
    this.#cleanUps.push(() => clearTimeout(timer))
  }
}

/** What ends an attempt: the end of its call, its timeout, and its idle timeout. */
export class AttemptBounds {
  readonly #controller = new AbortController()
  readonly #stops: readonly (() => void)[]
  readonly #timer: NodeJS.Timeout | undefined
  readonly #headTimer: NodeJS.Timeout | undefined
  /** Limits the time without data of the body. */
  readonly idle: { readonly ms: number; readonly expire: () => void } | undefined

  /** `endsWith` is a second signal, beside that of the call. */
  constructor(call: FailingCall, idleTimeout: number | undefined, endsWith: AbortSignal | undefined) {
    const { signal, timeout } = call
    const signals = endsWith === undefined ? [signal] : [signal, endsWith]
    this.#stops = signals.map((source) => forwardAbort(source, this.#controller))
    if (timeout !== false) this.#timer = setTimeout(() => this.#controller.abort(timeoutError(call, timeout)), timeout)
    if (idleTimeout === undefined) return
    const expire = () => this.#controller.abort(idleTimeoutError(call, idleTimeout))
    this.idle = { ms: idleTimeout, expire }
    // No data arrives before the head of the response.
    this.#headTimer = setTimeout(expire, idleTimeout)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The head of the response has arrived. The timeout goes on, for the body. */
  headArrived(): void {
    // A body that is never read must not keep the process alive.
    this.#timer?.unref()
    clearTimeout(this.#headTimer)
  }

  end(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#headTimer)
    for (const stop of this.#stops) stop()
  }
}

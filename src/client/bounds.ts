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
export interface CallBounds {
  readonly signal: AbortSignal
  /** Milliseconds since the call started. */
  readonly elapsed: () => number
  /** Milliseconds left for the call. */
  readonly remaining: () => number
  /**
   * Starts the timers, and follows the caller's signal.
   * @throws ServiceRequestError for an invalid timeout
   */
  readonly start: (options: BoundOptions & { readonly timeout: number | false }) => void
  /** Throws the error of the call if no time is left for it. */
  readonly check: () => void
  readonly abort: (reason: Error) => void
  /** Starts the timers of an attempt. `endsWith` is a second signal that ends it. */
  readonly startAttempt: (idleTimeout: number | undefined, endsWith: AbortSignal | undefined) => AttemptBounds
  /** The call has ended. Timers and listeners stay until its last attempt has ended, too. */
  readonly end: () => void
}

/** What ends an attempt: the end of its call, its timeout, and its idle timeout. */
interface AttemptBounds {
  readonly signal: AbortSignal
  /** Limits the time without data of the body. */
  readonly idle: { readonly ms: number; readonly expire: () => void } | undefined
  /** The head of the response has arrived. The timeout goes on, for the body. */
  readonly headArrived: () => void
  readonly end: () => void
}

export function createCallBounds(
  call: FailingCall,
  untilDeadline: () => number = () => Number.POSITIVE_INFINITY,
): CallBounds {
  const startedAt = performance.now()
  const untilDeadlineAtStart = untilDeadline()
  const controller = new AbortController()
  const cleanUps: (() => void)[] = []
  let total: number | undefined
  /** The call itself, and attempts with an open body. */
  let open = 1

  const elapsed = () => performance.now() - startedAt
  const remaining = () => Math.min(untilDeadline(), (total ?? Number.POSITIVE_INFINITY) - elapsed())
  const atDeadline = () => deadlineError(call, untilDeadlineAtStart)
  const abortAfter = (ms: number, createReason: () => Error) => {
    // Unreferenced: a response that is never read must not keep the process alive.
    const timer = setTimeout(() => controller.abort(createReason()), Math.max(0, ms)).unref()
    cleanUps.push(() => clearTimeout(timer))
  }
  const end = () => {
    open -= 1
    if (open === 0) for (const cleanUp of cleanUps) cleanUp()
  }
  return {
    signal: controller.signal,
    elapsed,
    remaining,
    start({ signal, timeout, totalTimeout = false }) {
      for (const [name, ms] of Object.entries({ timeout, totalTimeout })) {
        if (ms !== false && !(ms > 0 && ms <= MAX_TIMER_MS)) {
          throw new ServiceRequestError(call, `the ${name} must be false or between 0 and ${MAX_TIMER_MS} ms`)
        }
      }
      if (signal) cleanUps.push(forwardAbort(signal, controller))
      if (untilDeadlineAtStart <= MAX_TIMER_MS) abortAfter(untilDeadlineAtStart, atDeadline)
      if (totalTimeout === false) return
      total = totalTimeout
      abortAfter(totalTimeout, () => timeoutError(call, totalTimeout))
    },
    check() {
      if (untilDeadline() <= 0) throw atDeadline()
      if (remaining() <= 0) throw timeoutError(call, total as number)
    },
    abort: (reason) => controller.abort(reason),
    startAttempt(idleTimeout, endsWith) {
      open += 1
      const attempt = new AbortController()
      const { timeout } = call
      const signals = endsWith === undefined ? [controller.signal] : [controller.signal, endsWith]
      const stops = signals.map((source) => forwardAbort(source, attempt))
      const timer =
        timeout === false ? undefined : setTimeout(() => attempt.abort(timeoutError(call, timeout)), timeout)
      const idle =
        idleTimeout === undefined
          ? undefined
          : { ms: idleTimeout, expire: () => attempt.abort(idleTimeoutError(call, idleTimeout)) }
      // No data arrives before the head of the response.
      const headTimer = idle && setTimeout(idle.expire, idle.ms)
      return {
        signal: attempt.signal,
        idle,
        headArrived() {
          // A body that is never read must not keep the process alive.
          timer?.unref()
          clearTimeout(headTimer)
        },
        end() {
          clearTimeout(timer)
          clearTimeout(headTimer)
          for (const stop of stops) stop()
          end()
        },
      }
    },
    end,
  }
}

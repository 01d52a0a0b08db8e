import { createHolds, type EndSignal, LightSignal } from '../client/abort.ts'

/** Longest time that a timer takes, in milliseconds. */
export const MAX_TIMER_MS = 2_147_483_647

/** The end of an invocation, as its calls see it. */
export interface Deadline {
  /** Milliseconds left for calls; 0 or less when there is no time for another one. */
  remaining(): number
  /** One for all calls of the invocation. It aborts at the deadline, as long as somebody holds it. */
  readonly signal: EndSignal
  /** Keeps the timer running until the function that is returned is called. */
  readonly hold: () => () => void
}

/**
 * `remaining` is the runtime's own clock, `getRemainingTimeInMillis`, in whose place a mock may give anything; `margin`
 * is kept back for the handler's answer.
 */
export function createDeadline(remaining: () => number, margin: number): Deadline {
  const signal = new LightSignal()
  let timer: NodeJS.Timeout | undefined
  const left = () => {
    const ms = remaining() - margin
    return Number.isFinite(ms) ? ms : Number.POSITIVE_INFINITY
  }
  const start = () => {
    const ms = left()
    // Unreferenced: an answer that nobody reads must not keep the process alive.
    if (ms <= MAX_TIMER_MS) timer = setTimeout(() => signal.abort(), Math.max(0, ms)).unref()
  }
  return { remaining: left, signal, hold: createHolds(start, () => clearTimeout(timer)) }
}

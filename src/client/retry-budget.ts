/** Bounds the retries of one service in one environment. */
export interface RetryBudget {
  /** A call begins. */
  readonly deposit: () => void
  /** Takes one retry; false where none is left. */
  readonly take: () => boolean
  /** A call succeeded. */
  readonly refill: () => void
}

/** Fifths of a retry, because five calls pay for one. */
const RETRY = 5
const DEPOSIT = 1

/** Retries that can be saved: those of a lone call. */
const RESERVE = 2

/**
 * A retry budget: each call adds a fifth of a retry, up to two, and a success fills it up. In an outage, where nothing
 * succeeds, an environment so sends at most 1.2 requests a call and two more, young or old. A service that answers some of
 * its calls is retried as often as each call may be.
 *
 * A fifth is the share of Finagle's RetryBudget; Google's SRE book takes a tenth. Both also allow a minimum of retries per
 * second, which Lambda's many small environments would multiply. AWS's SDK keeps a stock for about 35 retries, which an
 * environment with few calls never uses up: 3 requests a call.
 *
 * @see https://twitter.github.io/finagle/docs/com/twitter/finagle/service/RetryBudget.html
 * @see https://sre.google/sre-book/handling-overload/
 */
export function createRetryBudget(reserve: number = RESERVE): RetryBudget {
  const full = reserve * RETRY
  let left = full
  return {
    deposit() {
      left = Math.min(full, left + DEPOSIT)
    },
    take() {
      if (left < RETRY) return false
      left -= RETRY
      return true
    },
    refill() {
      left = full
    },
  }
}

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

/** The retries that a call has by default. */
const DEFAULT_LIMIT = 2

/**
 * A retry budget: each call adds a fifth of a retry, up to the retries of one call, and a success fills the budget. In an
 * outage, an environment with default options therefore sends at most 1.2 requests a call, and two more. A service that
 * answers some of its calls is retried as often as each call allows.
 *
 * A fifth is the share of Finagle's RetryBudget; Google's SRE book takes a tenth. Both also allow a minimum of retries per
 * second, which Lambda's many small environments would multiply. AWS's SDK keeps a stock for about 35 retries, which an
 * environment with few calls never uses up: 3 requests a call.
 *
 * @param limit Retries that one call may take: a lone call gets all of them, and two at least are kept.
 * @see https://twitter.github.io/finagle/docs/com/twitter/finagle/service/RetryBudget.html
 * @see https://sre.google/sre-book/handling-overload/
 */
export function createRetryBudget(limit: number = DEFAULT_LIMIT): RetryBudget {
  const full = Math.max(DEFAULT_LIMIT, limit) * RETRY
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

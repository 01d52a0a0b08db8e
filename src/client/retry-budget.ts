import { DEFAULT_RETRIES } from '../config/index.ts'

/** Limits the retries of one service in one execution environment. */
export interface RetryBudget {
  /** Called when a call starts. */
  readonly deposit: () => void
  /** Takes one retry. False if none is left. */
  readonly take: () => boolean
  /** Called when a call has succeeded. */
  readonly refill: () => void
}

/** In fifths of a retry: five calls pay for one retry. */
const RETRY = 5
const DEPOSIT = 1

/**
 * A retry budget. Each call adds a fifth of a retry, up to the retries of one call. A success fills the budget. In an
 * outage, where no call succeeds, a new or old execution environment with default options sends at most 1.2 requests for
 * each call, plus two. If some calls succeed, calls keep their retries.
 *
 * Finagle's RetryBudget also uses a fifth, Google's SRE book a tenth. Both also allow a minimum of retries per second,
 * which Lambda's many small execution environments would multiply. The AWS SDK starts with about 35 retries, which an
 * execution environment with few calls never uses up: it sends 3 requests for each call.
 *
 * @param limit Retries of one call. The budget holds as many, and at least two, so that a lone call gets all its retries.
 * @see https://twitter.github.io/finagle/docs/com/twitter/finagle/service/RetryBudget.html
 * @see https://sre.google/sre-book/handling-overload/
 */
export function createRetryBudget(limit: number = DEFAULT_RETRIES): RetryBudget {
  const full = Math.max(DEFAULT_RETRIES, limit) * RETRY
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

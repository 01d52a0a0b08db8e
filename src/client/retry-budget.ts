/** What is left to spend on retries of one service, shared by an environment's invocations. */
export interface RetryQuota {
  /** Takes what a retry costs; false when it cannot be afforded. */
  readonly take: (isThrottled: boolean) => boolean
  /** A call succeeded: gives back what its last retry took, or one token for a call without retries. */
  readonly succeed: (lastCost: number) => void
  /** What a retry costs. */
  readonly costOf: (isThrottled: boolean) => number
}

const CAPACITY = 500
const RETRY_COST = 14
const THROTTLED_COST = 5

/**
 * A token bucket after the standard retry mode of AWS's SDKs, so that an outage is not multiplied: once most calls fail,
 * the retries run out.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
 */
export function createRetryQuota(capacity: number = CAPACITY): RetryQuota {
  let tokens = capacity
  const costOf = (isThrottled: boolean) => (isThrottled ? THROTTLED_COST : RETRY_COST)
  return {
    costOf,
    take(isThrottled) {
      const cost = costOf(isThrottled)
      if (cost > tokens) return false
      tokens -= cost
      return true
    },
    succeed(lastCost) {
      tokens = Math.min(capacity, tokens + (lastCost || 1))
    },
  }
}

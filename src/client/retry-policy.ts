import { HTTPError, type RetryOptions } from 'ky'
import { DEFAULT_RETRIES, MAX_TIMER_MS } from '../config/index.ts'
import {
  isGatewayThrottling,
  isQuotaExhausted,
  type RejectionRules,
  readRetryAfter,
  ServiceNetworkError,
  ServiceTimeoutError,
} from '../errors/index.ts'
import type { RetryBudget } from './retry-budget.ts'

/** Idempotent methods (RFC 9110, section 9.2.2). */
const IDEMPOTENT = ['get', 'head', 'put', 'delete', 'options', 'trace'] as const
const METHODS = [...IDEMPOTENT, 'post', 'patch'] as const
export const STATUS_CODES: readonly number[] = [408, 429, 500, 502, 503, 504]

/** Outcome of an attempt: a response or an error. */
export type Outcome = Response | Error

/** The members of a request that decide whether it may be a retry. */
export interface AttemptRequest {
  readonly method: string
  readonly idempotencyKey: string | null
}

/** One attempt and its outcome. */
export interface Attempt extends AttemptRequest {
  readonly outcome: Outcome
}

/** The state of a call that the retry rules read. */
export interface RetryContext {
  readonly retryBudget: RetryBudget
  /** How the service's gateway rejects requests. */
  readonly rejections: () => RejectionRules
  /** Milliseconds left for the call. */
  readonly remaining: () => number
  /** Longest wait in milliseconds that a response may ask for. */
  readonly maxAskedDelayMs: number
  readonly random: () => number
  /** Waits. Resolves with false if the call ends first. */
  readonly wait: (ms: number) => Promise<boolean>
  /** The last attempt. Undefined before the first one has ended. */
  readonly lastAttempt: () => Attempt | undefined
}

/** The retry rules of one call. Its options can only narrow the rules of the package. */
export interface RetryRules {
  /** ky's retry options. */
  readonly options: RetryOptions
  /** Whether one more request may be sent. Checked for each request, because hooks can change ky's options. */
  readonly allow: (next: AttemptRequest, last: Attempt) => boolean
}

/**
 * Creates the retry rules of a call. Idempotent methods are retried on `STATUS_CODES` and on network errors. Other
 * methods are retried if the request cannot have run, or if it has an idempotency key. Timeouts are retried with
 * `retryOnTimeout`. A retry waits as long as the response asks, else a time with full jitter. It happens only if the
 * wait fits the time left and the budget has a retry left.
 */
export function narrowRetry(wanted: RetryOptions, context: RetryContext): RetryRules {
  const wantedMethods = wanted.methods?.map((method) => method.toLowerCase())
  const methods = METHODS.filter((method) => wantedMethods?.includes(method) ?? true)
  const statusCodes = STATUS_CODES.filter((status) => wanted.statusCodes?.includes(status) ?? true)
  const afterStatusCodes = wanted.afterStatusCodes ?? STATUS_CODES
  const { limit = DEFAULT_RETRIES, maxRetryAfter = Number.POSITIVE_INFINITY, retryOnTimeout = false } = wanted
  let granted = 0
  let used = 0

  const isRetryable = ({ method, idempotencyKey, outcome }: Attempt): boolean => {
    if (!isOneOf(methods, method)) return false
    const mayRunAgain = isOneOf(IDEMPOTENT, method) || idempotencyKey !== null
    if (outcome instanceof ServiceTimeoutError) return mayRunAgain && retryOnTimeout && !outcome.deadline
    if (outcome instanceof ServiceNetworkError) return mayRunAgain || outcome.neverConnected
    if (outcome instanceof Error) return false
    if (!statusCodes.includes(outcome.status) || isQuotaExhausted(outcome.headers, context.rejections())) return false
    return mayRunAgain || isGatewayThrottling(outcome)
  }

  /** Milliseconds to wait. Undefined if the wait does not fit the time left. */
  const findDelay = (outcome: Outcome, retryCount: number): number | undefined => {
    const asked =
      outcome instanceof Error || !afterStatusCodes.includes(outcome.status)
        ? undefined
        : readRetryAfter(outcome.headers)
    const ms = asked ?? backOff(wanted, retryCount, context.random)
    const longest = asked === undefined ? Number.POSITIVE_INFINITY : Math.min(maxRetryAfter, context.maxAskedDelayMs)
    return ms < context.remaining() && ms <= Math.min(longest, MAX_TIMER_MS) ? ms : undefined
  }

  return {
    options: {
      limit,
      methods: [...methods],
      statusCodes,
      backoffLimit: Number.POSITIVE_INFINITY,
      jitter: undefined,
      // `shouldRetry` waits instead, so that the wait ends with the call.
      delay: () => 0,
      async shouldRetry(state) {
        if ((await wanted.shouldRetry?.(state)) === false) return false
        const last = context.lastAttempt()
        if (
          last === undefined ||
          !isRetryable(last) ||
          (state.error instanceof HTTPError && last.outcome instanceof Error)
        )
          return false
        const delay = findDelay(last.outcome, state.retryCount)
        if (delay === undefined || !context.retryBudget.take()) return false
        granted += 1
        // Without a timer, so that mocks retry under fake timers too.
        return delay === 0 || context.wait(delay)
      },
    },
    allow({ method, idempotencyKey }, last) {
      used += 1
      // With another idempotency key, it is another request.
      const sameKey = idempotencyKey === last.idempotencyKey ? idempotencyKey : null
      return used <= granted && isRetryable({ method, idempotencyKey: sameKey, outcome: last.outcome })
    },
  }
}

/** The delay of ky's options or ky's default delay, with jitter. */
function backOff(
  { delay, jitter = true, backoffLimit = Number.POSITIVE_INFINITY }: RetryOptions,
  retryCount: number,
  random: () => number,
): number {
  const full = delay?.(retryCount) ?? 300 * 2 ** (retryCount - 1)
  const jittered = typeof jitter === 'function' ? jitter(full) : jitter ? random() * full : full
  return Math.min(backoffLimit, Math.max(0, jittered))
}

function isOneOf(methods: readonly string[], method: string): boolean {
  return methods.includes(method.toLowerCase())
}

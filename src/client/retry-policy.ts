import { HTTPError, type RetryOptions } from 'ky'
import { MAX_TIMER_MS } from '../config/index.ts'
import {
  isQuotaExhausted,
  type RefusalRules,
  readErrorType,
  readRetryAfter,
  ServiceNetworkError,
  ServiceTimeoutError,
} from '../errors/index.ts'
import type { RetryBudget } from './retry-budget.ts'

/** Methods that may run twice without doing more than once (RFC 9110, section 9.2.2). */
const IDEMPOTENT = ['get', 'head', 'put', 'delete', 'options', 'trace'] as const
const METHODS = [...IDEMPOTENT, 'post', 'patch'] as const
export const STATUS_CODES: readonly number[] = [408, 429, 500, 502, 503, 504]
const DEFAULT_LIMIT = 2

/** How an attempt ended: with an answer, or with the error that it was. */
export type Outcome = Response | Error

/** A request, as far as it decides whether it may be another attempt of the same call. */
export interface AttemptRequest {
  readonly method: string
  readonly idempotencyKey: string | null
}

/** One attempt and how it ended. */
export interface Attempt extends AttemptRequest {
  readonly outcome: Outcome
}

/** What a retry needs beside the rules. */
export interface RetryContext {
  readonly budget: RetryBudget
  /** How the service's gateway refuses. */
  readonly refusals: () => RefusalRules
  /** Milliseconds that are left for the call. */
  readonly remaining: () => number
  /** Milliseconds that an answer may ask to wait at most. */
  readonly patience: number
  readonly random: () => number
  /** Waits; false where the call has ended first. */
  readonly wait: (ms: number) => Promise<boolean>
  /** The last attempt; undefined before there was one. */
  readonly lastAttempt: () => Attempt | undefined
}

/** The retry rules of one call, which its options can narrow, but not widen. */
export interface RetryRules {
  /** For ky, which asks and waits. */
  readonly options: RetryOptions
  /** Whether one more request may go out, whoever asks for it: hooks can change what ky makes of its options. */
  readonly allow: (next: AttemptRequest, last: Attempt) => boolean
}

/**
 * Idempotent methods are retried on those statuses and on network errors, others only where the request cannot have run
 * or carries an idempotency key; timeouts where `retryOnTimeout` asks for it. Each retry waits as long as the answer
 * asks, else with full jitter, and only if that fits the time that is left and the budget has a retry left.
 */
export function narrowRetry(wanted: RetryOptions, context: RetryContext): RetryRules {
  const wantedMethods = wanted.methods?.map((method) => method.toLowerCase())
  const methods = METHODS.filter((method) => wantedMethods?.includes(method) ?? true)
  const statusCodes = STATUS_CODES.filter((status) => wanted.statusCodes?.includes(status) ?? true)
  const afterStatusCodes = wanted.afterStatusCodes ?? STATUS_CODES
  const { limit = DEFAULT_LIMIT, maxRetryAfter = Number.POSITIVE_INFINITY, retryOnTimeout = false } = wanted
  let granted = 0
  let used = 0

  const isRetryable = ({ method, idempotencyKey, outcome }: Attempt): boolean => {
    if (!isOneOf(methods, method)) return false
    const mayRunAgain = isOneOf(IDEMPOTENT, method) || idempotencyKey !== null
    if (outcome instanceof ServiceTimeoutError) return mayRunAgain && retryOnTimeout && !outcome.deadline
    if (outcome instanceof ServiceNetworkError) return mayRunAgain || outcome.neverConnected
    if (outcome instanceof Error) return false
    if (!statusCodes.includes(outcome.status) || isQuotaExhausted(outcome.headers, context.refusals())) return false
    return mayRunAgain || isGatewaysThrottling(outcome)
  }

  /** Milliseconds to wait, or undefined where that is longer than there is time. */
  const findDelay = (outcome: Outcome, retryCount: number): number | undefined => {
    const asked =
      outcome instanceof Error || !afterStatusCodes.includes(outcome.status)
        ? undefined
        : readRetryAfter(outcome.headers)
    const ms = asked ?? backOff(wanted, retryCount, context.random)
    const longest = asked === undefined ? Number.POSITIVE_INFINITY : Math.min(maxRetryAfter, context.patience)
    return ms < context.remaining() && ms <= Math.min(longest, MAX_TIMER_MS) ? ms : undefined
  }

  return {
    options: {
      limit,
      methods: [...methods],
      statusCodes,
      backoffLimit: Number.POSITIVE_INFINITY,
      jitter: undefined,
      // Waited for before, and left alone as soon as the call has ended.
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
        const found = findDelay(last.outcome, state.retryCount)
        if (found === undefined || !context.budget.take()) return false
        granted += 1
        return found === 0 || context.wait(found)
      },
    },
    allow({ method, idempotencyKey }, last) {
      used += 1
      // Another key is another request.
      const sameKey = idempotencyKey === last.idempotencyKey ? idempotencyKey : null
      return used <= granted && isRetryable({ method, idempotencyKey: sameKey, outcome: last.outcome })
    },
  }
}

/** ky's own delays unless others are wanted, anywhere between nothing and the whole of them. */
function backOff(
  { delay, jitter = true, backoffLimit = Number.POSITIVE_INFINITY }: RetryOptions,
  retryCount: number,
  random: () => number,
): number {
  const full = delay?.(retryCount) ?? 300 * 2 ** (retryCount - 1)
  const jittered = typeof jitter === 'function' ? jitter(full) : jitter ? random() * full : full
  return Math.min(backoffLimit, Math.max(0, jittered))
}

/** The gateway throttles before it calls anything. */
function isGatewaysThrottling({ status, headers }: Response): boolean {
  const type = readErrorType(headers)
  return type === 'TooManyRequestsException' || (status === 429 && type === 'LimitExceededException')
}

function isOneOf(methods: readonly string[], method: string): boolean {
  return methods.includes(method.toLowerCase())
}

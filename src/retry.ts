import { isHTTPError, type RetryOptions } from 'ky'
import { ServiceError, ServiceNetworkError, ServiceTimeoutError } from './errors.ts'

/** Methods that may run twice without doing more than once (RFC 9110, section 9.2.2). */
const METHODS = ['get', 'head', 'put', 'delete', 'options', 'trace'] as const
const STATUS_CODES = [408, 429, 500, 502, 503, 504]
const DEFAULT_LIMIT = 2

/** How an attempt ended: with a status, or with the error that it was. */
export type Outcome = number | Error

/** The retry rules of one call, which its options can narrow, but not widen. */
export interface RetryRules {
  /** For ky, which waits and asks. */
  readonly options: RetryOptions
  /** The same rules once more, for the attempt itself: hooks can change what ky makes of its options. */
  readonly allow: (method: string, outcome: Outcome, retries: number) => boolean
}

/**
 * ky's options within this package's rules: idempotent methods only, on those statuses, on network errors, and on an
 * attempt's timeout where `retryOnTimeout` asks for it; full jitter by default.
 */
export function narrowRetry(wanted: RetryOptions = {}): RetryRules {
  const wantedMethods = wanted.methods?.map((method) => method.toLowerCase())
  const methods = METHODS.filter((method) => wantedMethods?.includes(method) ?? true)
  const statusCodes = STATUS_CODES.filter((status) => wanted.statusCodes?.includes(status) ?? true)
  const { limit = DEFAULT_LIMIT, jitter = true, retryOnTimeout = false } = wanted

  const allowOutcome = (outcome: Outcome) =>
    typeof outcome === 'number'
      ? statusCodes.includes(outcome)
      : outcome instanceof ServiceNetworkError ||
        (outcome instanceof ServiceTimeoutError && retryOnTimeout && !outcome.deadline)
  return {
    options: {
      ...wanted,
      limit,
      methods,
      statusCodes,
      jitter,
      async shouldRetry(state) {
        if ((await wanted.shouldRetry?.(state)) === false) return false
        if (state.error instanceof ServiceError) return allowOutcome(state.error)
        // Undefined leaves a status to ky, which then also heeds Retry-After.
        return isHTTPError(state.error) ? undefined : false
      },
    },
    allow: (method, outcome, retries) =>
      retries <= limit && methods.some((allowed) => allowed === method.toLowerCase()) && allowOutcome(outcome),
  }
}

/** A copy that shares nothing which a caller could change; a number is a limit. */
export function copyRetry(retry: number | RetryOptions): RetryOptions {
  if (typeof retry === 'number') return { limit: retry }
  const copy = { ...retry }
  if (retry.methods) copy.methods = [...retry.methods]
  if (retry.statusCodes) copy.statusCodes = [...retry.statusCodes]
  if (retry.afterStatusCodes) copy.afterStatusCodes = [...retry.afterStatusCodes]
  return copy
}

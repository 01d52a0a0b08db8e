import { isHTTPError, type RetryOptions } from 'ky'
import { ServiceNetworkError, ServiceTimeoutError } from './errors.ts'

/** Methods that may run twice without doing more than once (RFC 9110, section 9.2.2). */
const METHODS = ['get', 'head', 'put', 'delete', 'options', 'trace'] as const
const STATUS_CODES = [408, 429, 500, 502, 503, 504]

/**
 * ky's options within this package's rules: idempotent methods only, on those statuses, on network errors, and on an
 * attempt's timeout where `retryOnTimeout` asks for it; full jitter by default. Options can take away, but not add.
 */
export function narrowRetry(retry: number | RetryOptions = {}): RetryOptions {
  const wanted = typeof retry === 'number' ? { limit: retry } : retry
  const wantedMethods = wanted.methods?.map((method) => method.toLowerCase())
  return {
    ...wanted,
    methods: METHODS.filter((method) => wantedMethods?.includes(method) ?? true),
    statusCodes: STATUS_CODES.filter((status) => wanted.statusCodes?.includes(status) ?? true),
    jitter: wanted.jitter ?? true,
    async shouldRetry(state) {
      if ((await wanted.shouldRetry?.(state)) === false) return false
      const { error } = state
      if (error instanceof ServiceNetworkError) return true
      if (error instanceof ServiceTimeoutError) return wanted.retryOnTimeout === true && !error.deadline
      // Undefined leaves the decision to ky, which then also heeds Retry-After.
      return isHTTPError(error) ? undefined : false
    },
  }
}

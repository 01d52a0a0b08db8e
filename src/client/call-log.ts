import type { CallInfo } from '../errors/service-errors.ts'

/** What is told of a call after its last attempt; never bodies or headers. */
export interface CallRecord extends CallInfo {
  /** HTTP status of the last answer; absent where there was none. */
  readonly status?: number
  /** Milliseconds, retries and waits included, and the body where it was read by `.json()` and its kin. */
  readonly durationMs: number
  /** API Gateway's id of the last answer. */
  readonly requestId?: string
  /** What was sent as `X-Amzn-Trace-Id`. */
  readonly traceId?: string
  /**
   * Code of the error that the call or its body failed with, such as `ERR_SERVICE_TIMEOUT`; `ABORTED` for the caller's own
   * abort, `SCHEMA` for ky's `SchemaValidationError`. Absent where it succeeded.
   */
  readonly errorCode?: string
}

/** Which call it is. */
export type CallName = Pick<CallInfo, 'service' | 'method' | 'path'>

export function nameOf({ service, method, path }: CallName): CallName {
  return { service, method, path }
}

/** A call and how it ended, in one line. */
export function lineOf(
  { service, method, path }: CallName,
  status: number | undefined,
  errorCode: string | undefined,
): string {
  return `${service}: ${method} ${path}: ${[status, errorCode].filter(Boolean).join(' ')}`
}

/** What goes beside a line. */
export interface LogDetails {
  readonly [key: string]: unknown
}

/** What log lines go to; `console` and Powertools' Logger fit as they are. What it throws is dropped. */
export interface ServicesLogger {
  /** A call that succeeded, its record as `details.call`. */
  info(message: string, details: LogDetails): void
  /** What went on beside calls: calls that outlived the handler, failures that nobody awaited, a failed `onCall`. */
  warn(message: string, details: LogDetails): void
  /** A call that failed, its record as `details.call`. */
  error(message: string, details: LogDetails): void
}

/** Where a factory's calls are told of; what a callback throws is logged and goes no further. */
export interface Reporter {
  readonly warn: (message: string, details: LogDetails) => void
  /** Absent where nobody listens. */
  readonly call: ((record: CallRecord) => void) | undefined
}

/** Without a logger, warnings go to the console as it is at that moment, and nothing else anywhere. */
export function createReporter(logger?: ServicesLogger, onCall?: (record: CallRecord) => void): Reporter {
  const write = (level: keyof ServicesLogger, message: string, details: LogDetails) => {
    try {
      ;(logger ?? console)[level](message, details)
    } catch {
      // Nobody is left to tell, and a call must not fail because of its log.
    }
  }
  const tell = async (record: CallRecord): Promise<void> => onCall?.(record)
  const call = (record: CallRecord) => {
    const { status, errorCode } = record
    const level = errorCode === undefined ? 'info' : 'error'
    // As one member: Powertools keeps `service` for itself.
    if (logger !== undefined) write(level, lineOf(record, status, errorCode), { call: record })
    tell(record).catch((error: unknown) => write('warn', 'onCall failed', { error }))
  }
  return {
    warn: (message, details) => write('warn', message, details),
    // Stryker disable next-line ConditionalExpression: a record that nobody is told of only costs.
    call: logger === undefined && onCall === undefined ? undefined : call,
  }
}

import { SchemaValidationError } from 'ky'
import type { CallRecord, LogDetails, ServicesLogger } from '../config/index.ts'
import { type CallInfo, redactText, requestIdOf, ServiceError, ServiceResponseError } from '../errors/index.ts'

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

/** A failure's code for records and log lines. */
export function codeOf(failure: unknown): string {
  if (failure instanceof ServiceError) return failure.code
  return failure instanceof SchemaValidationError ? 'SCHEMA' : 'ABORTED'
}

/** A call that has ended: with a response, with a failure, or with a failure after the response's head. */
export function recordOf(
  call: CallInfo & {
    readonly durationMs: number
    readonly trace: string | undefined
    readonly secrets: ReadonlySet<string>
  },
  response: Response | undefined,
  failure: unknown,
): CallRecord {
  const status = response?.status ?? (failure instanceof ServiceResponseError ? failure.status : undefined)
  const requestId = response
    ? redacted(requestIdOf(response.headers), call.secrets)
    : failure instanceof ServiceError
      ? failure.requestId
      : undefined
  return {
    ...nameOf(call),
    attempts: call.attempts,
    durationMs: call.durationMs,
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId }),
    ...(call.trace !== undefined && { traceId: call.trace }),
    ...(failure !== undefined && { errorCode: codeOf(failure) }),
  }
}

function redacted(text: string | undefined, secrets: ReadonlySet<string>): string | undefined {
  return text === undefined ? undefined : redactText(text, secrets)
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
    // A promise, because a logger may return one. A call must not fail because of its log, whatever that throws.
    const log = async (): Promise<void> => (logger ?? console)[level](message, details)
    log().catch(() => {})
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

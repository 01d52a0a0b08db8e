import { SchemaValidationError } from 'ky'
import type { CallRecord, LogDetails, ServicesLogger } from '../config/index.ts'
import { type CallInfo, redactText, requestIdOf, ServiceError, ServiceResponseError } from '../errors/index.ts'

/** Identifies a call in logs. */
export type CallName = Pick<CallInfo, 'service' | 'method' | 'path'>

export function nameOf({ service, method, path }: CallName): CallName {
  return { service, method, path }
}

/** A call and its outcome as one line. */
export function lineOf(
  { service, method, path }: CallName,
  status: number | undefined,
  errorCode: string | undefined,
): string {
  return `${service}: ${method} ${path}: ${[status, errorCode].filter(Boolean).join(' ')}`
}

/** Code of a failure for records and log lines. */
export function codeOf(failure: unknown): string {
  if (failure instanceof ServiceError) return failure.code
  return failure instanceof SchemaValidationError ? 'SCHEMA' : 'ABORTED'
}

/** Record of a call that ended with a response, with a failure, or with both: a response whose body failed. */
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
  const ofFailure = failure instanceof ServiceError ? failure.requestId : undefined
  const requestId = response ? requestIdOf(response.headers) : ofFailure
  return {
    ...nameOf(call),
    attempts: call.attempts,
    durationMs: call.durationMs,
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId: redactText(requestId, call.secrets) }),
    ...(call.trace !== undefined && { traceId: call.trace }),
    ...(failure !== undefined && { errorCode: codeOf(failure) }),
  }
}

/** Reports calls and warnings to the logger and to `onCall`. It never throws. */
export interface Reporter {
  readonly warn: (message: string, details: LogDetails) => void
  /** Absent without a logger and `onCall`: unread records would take 6 % of the CPU time of `.fetch`. */
  readonly call?: (record: CallRecord) => void
}

/** Without a logger, warnings go to the current `console`, and calls are not logged. */
export function createReporter(logger?: ServicesLogger, onCall?: (record: CallRecord) => void): Reporter {
  const write = (level: keyof ServicesLogger, message: string, details: LogDetails) => {
    // Async, because a logger may return a promise. An error of the logger must not fail the call.
    const log = async (): Promise<void> => (logger ?? console)[level](message, details)
    log().catch(() => {})
  }
  const runOnCall = async (record: CallRecord): Promise<void> => onCall?.(record)
  const call = (record: CallRecord) => {
    const { status, errorCode } = record
    const level = errorCode === undefined ? 'info' : 'error'
    // In one member, because Powertools' Logger reserves the key `service`.
    if (logger !== undefined) write(level, lineOf(record, status, errorCode), { call: record })
    runOnCall(record).catch((error: unknown) => write('warn', 'onCall failed', { error }))
  }
  return {
    warn: (message, details) => write('warn', message, details),
    ...((logger !== undefined || onCall !== undefined) && { call }),
  }
}

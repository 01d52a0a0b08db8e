import { type ResponsePromise, SchemaValidationError } from 'ky'
import { unlessAborted } from './abort.ts'
import type { Call, Invocation, ServiceRuntime } from './call.ts'
import { CallPromise } from './call-promise.ts'
import { type CallRecord, lineOf, nameOf } from './call-report.ts'
import { outcomeOf } from './circuit-breaker.ts'
import { ServiceError, ServiceResponseError, ServiceTimeoutError } from './errors.ts'
import { callFailure, requestIdOf } from './failure.ts'
import type { CallEnd } from './pending-calls.ts'

const BODY_METHODS = ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'bytes'] as const

type Started = Promise<Response> &
  Partial<Record<(typeof BODY_METHODS)[number], (schema?: unknown) => Promise<unknown>>>

/** A call that has been started. */
interface Run {
  readonly promise: CallPromise<Response>
  readonly inner: Started
  /** The same for what else is read of the call: its bounds, its errors, and somebody who hears of them. */
  readonly read: <T>(source: Promise<T>) => CallPromise<T>
}

/** Runs a call to its end: within its bounds and with its errors. */
export function settle(
  call: Call,
  runtime: ServiceRuntime,
  invocation: Invocation,
  start: () => Started,
): Promise<Response> {
  return run(call, runtime, invocation, start).promise
}

/** The same for ky's promise, whose body methods fail as the promise does. */
export function settleKy<T>(
  call: Call,
  runtime: ServiceRuntime,
  invocation: Invocation,
  start: () => Started,
): ResponsePromise<T> {
  const { promise, inner, read } = run(call, runtime, invocation, start)
  for (const method of BODY_METHODS) {
    const readBody = (schema?: unknown) => {
      promise.markAwaited()
      return read(inner[method]?.(schema) ?? inner)
    }
    Object.assign(promise, { [method]: readBody })
  }
  return promise as unknown as ResponsePromise<T>
}

/** Tells circuit breaker, quota and reporter how the call ended, and the invocation that it is under way. */
function run(call: Call, runtime: ServiceRuntime, { pending }: Invocation, start: () => Started): Run {
  const startedAt = performance.now()
  let inner: Started
  try {
    inner = start()
  } catch (error) {
    inner = Promise.reject(error)
  }
  const { bounds } = call
  const release = bounds?.hold()
  // By what was thrown, so that whoever hears of the same error gets the same failure.
  const failures = new Map<unknown, unknown>()
  const fail = (error: unknown): never => {
    if (!failures.has(error)) failures.set(error, callFailure(error, call))
    throw failures.get(error)
  }
  // Hooks are asked to wait for as well, and may never answer.
  const within = <T>(source: Promise<T>) =>
    (bounds === undefined ? source : unlessAborted(source, bounds.signal)).catch(fail)
  const readers: CallPromise<unknown>[] = []
  let isConcluded = false
  let leave: ((end: CallEnd) => void) | undefined
  // Within the promises' own chain, so that all is told before whoever awaits them goes on.
  const concludeOnce = (end: End) => {
    if (isConcluded) return
    isConcluded = true
    const how = conclude(call, runtime, startedAt, end)
    leave?.(how)
  }
  const onRejected = (reason: unknown, isAwaited: () => boolean) => {
    // A caller's own mistake on the way is not this call's failure, and is not kept from the process.
    if (![...failures.values()].includes(reason)) {
      setImmediate(() => isAwaited() || Promise.reject(reason))
      return
    }
    const tell = () => {
      // A call that was cut with its invocation has been named already.
      if (call.isCut) return
      const status = reason instanceof ServiceResponseError ? reason.status : undefined
      // Without the failure's own message, which may quote queries and bodies.
      const line = lineOf(call, status, codeOf(reason))
      runtime.report.warn(`A call failed, and nobody awaited it: ${line}`, { call: nameOf(call) })
    }
    if (pending) pending.addFailure(isAwaited, tell)
    else setImmediate(() => isAwaited() || tell())
  }
  let head: Response | undefined
  const promise = CallPromise.from(
    within(inner.finally(release)).then(
      (response) => {
        head = response
        if (readers.length === 0) concludeOnce({ response })
        return response
      },
      (failure: unknown) => {
        concludeOnce({ failure })
        throw failure
      },
    ),
    onRejected,
  )
  const read = <T>(source: Promise<T>) => {
    const reader = CallPromise.from(
      within(source).then(
        (value) => {
          concludeOnce({ response: head })
          return value
        },
        (failure: unknown) => {
          concludeOnce({ response: head, failure })
          throw failure
        },
      ),
      onRejected,
    )
    readers.push(reader)
    return reader
  }
  if (bounds !== undefined) {
    const isAwaited = () => (readers.length > 0 ? readers : [promise]).some((one) => one.isAwaited)
    leave = pending?.add({ call, isAwaited, abort: bounds.abort })
  }
  return { promise, inner, read }
}

function codeOf(failure: unknown): string {
  if (failure instanceof ServiceError) return failure.code
  return failure instanceof SchemaValidationError ? 'SCHEMA' : 'ABORTED'
}

/** How a call ended: with an answer, with a failure, or with a failure after the answer's head. */
interface End {
  readonly response?: Response | undefined
  readonly failure?: unknown
}

function conclude(
  call: Call,
  { quota, report }: ServiceRuntime,
  startedAt: number,
  { response, failure }: End,
): CallEnd {
  if (response?.ok) quota.succeed(call.retry?.lastCost() ?? 0)
  settlePermit(call, { response, failure })

  const { attempts, trace } = call
  const status = response?.status ?? (failure instanceof ServiceResponseError ? failure.status : undefined)
  const requestId = response ? requestIdOf(response.headers) : (failure as ServiceError | undefined)?.requestId
  const record: CallRecord = {
    ...nameOf(call),
    attempts,
    durationMs: performance.now() - startedAt,
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId }),
    ...(trace !== undefined && { traceId: trace }),
    ...(failure !== undefined && { errorCode: codeOf(failure) }),
  }
  report.call(record)
  if (failure === undefined) return 'finished'
  return failure instanceof ServiceTimeoutError && failure.deadline ? 'aborted' : 'failed'
}

/** Half an answer is not a success; nor is one below 500 that is none a failure. */
function settlePermit({ permit, signal, bodyEnd }: Call, { response, failure }: End): void {
  if (permit === undefined) return
  const outcome = (error: unknown) => (signal?.aborted ? 'neutral' : outcomeOf(error))
  if (response === undefined) permit(failure === undefined ? 'neutral' : outcome(failure))
  else if (response.status >= 500) permit('failure')
  // A hook's own answer, in place of a retry, says nothing of the service.
  else if (bodyEnd === undefined) permit('neutral')
  else bodyEnd.then((error) => permit(error !== undefined ? outcome(error) : response.ok ? 'success' : 'neutral'))
}

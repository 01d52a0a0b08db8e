import { type ResponsePromise, SchemaValidationError } from 'ky'
import { callFailure, requestIdOf } from '../errors/failure.ts'
import {
  ServiceError,
  ServiceRequestError,
  ServiceResponseError,
  ServiceTimeoutError,
} from '../errors/service-errors.ts'
import type { CallEnd } from '../middleware/pending-calls.ts'
import { whenAborted } from './abort.ts'
import { type CallRecord, lineOf, nameOf } from './call-log.ts'
import { CallPromise } from './call-promise.ts'
import { outcomeOf } from './circuit-breaker.ts'
import type { Call, Invocation, ServiceRuntime } from './service-call.ts'

type BodyMethod = 'json' | 'text' | 'arrayBuffer' | 'blob' | 'formData' | 'bytes'

type Started = Promise<Response> & Partial<Record<BodyMethod, (schema?: unknown) => Promise<unknown>>>

/** A call that has been started. */
interface StartedCall {
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
  return startCall(call, runtime, invocation, start).promise
}

/** The same for ky's promise, whose body methods fail as the promise does. */
export function settleKy<T>(
  call: Call,
  runtime: ServiceRuntime,
  invocation: Invocation,
  start: () => Started,
): ResponsePromise<T> {
  const { promise, inner, read } = startCall(call, runtime, invocation, start)
  const reader = (method: BodyMethod) => (schema?: unknown) => {
    promise.markAwaited()
    return read(inner[method]?.(schema) ?? inner)
  }
  // All in one piece, which costs V8 less than one by one.
  const members = {
    json: reader('json'),
    text: reader('text'),
    arrayBuffer: reader('arrayBuffer'),
    blob: reader('blob'),
    formData: reader('formData'),
    bytes: reader('bytes'),
  }
  return Object.assign(promise, members) as unknown as ResponsePromise<T>
}

/** Tells circuit breaker, quota and reporter how the call ended, and the invocation that it is under way. */
function startCall(call: Call, runtime: ServiceRuntime, { pending }: Invocation, start: () => Started): StartedCall {
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
  const toFailure = (error: unknown) => {
    if (!failures.has(error)) failures.set(error, tellFailure(error, call))
    return failures.get(error)
  }
  const readers: CallPromise<unknown>[] = []
  let isConcluded = false
  let leave: ((end: CallEnd) => void) | undefined
  const concludeOnce = (response: Response | undefined, failure?: unknown) => {
    if (isConcluded) return
    isConcluded = true
    const how = conclude(call, runtime, startedAt, { response, failure })
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
  /** The source's outcome within the bounds. All is told of it before whoever awaits it goes on. */
  const within = <T>(source: Promise<T>, succeed: (value: T) => void, onSettled?: () => void) =>
    CallPromise.create<T>((resolve, reject) => {
      let stop: (() => void) | undefined
      const fail = (error: unknown) => {
        const failure = toFailure(error)
        concludeOnce(head, failure)
        reject(failure)
      }
      source.then(
        (value) => {
          stop?.()
          onSettled?.()
          succeed(value)
          resolve(value)
        },
        (error: unknown) => {
          stop?.()
          onSettled?.()
          fail(error)
        },
      )
      if (bounds === undefined) return
      const abort = () => fail(bounds.signal.reason)
      // Hooks are asked to wait for as well, and may never answer. What has ended already does so as late as anything else.
      if (bounds.signal.aborted) queueMicrotask(abort)
      else stop = whenAborted(bounds.signal, abort)
    }, onRejected)
  const promise = within(
    inner as Promise<Response>,
    (response) => {
      head = response
      if (readers.length === 0) concludeOnce(response)
    },
    release,
  )
  const read = <T>(source: Promise<T>) => {
    const reader = within(source, () => concludeOnce(head))
    readers.push(reader)
    return reader
  }
  if (bounds !== undefined) {
    const isAwaited = () => (readers.length > 0 ? readers : [promise]).some((one) => one.isAwaited)
    leave = pending?.add({ call, isAwaited, abort: bounds.abort })
  }
  return { promise, inner, read }
}

/** Anything can be thrown, even what cannot be shown: a call must end all the same. */
function tellFailure(error: unknown, call: Call): unknown {
  try {
    return callFailure(error, call)
  } catch {
    return new ServiceRequestError(call, 'something was thrown that cannot be shown')
  }
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

  report.call?.(recordOf(call, startedAt, response, failure))
  if (failure === undefined) return 'finished'
  return failure instanceof ServiceTimeoutError && failure.deadline ? 'aborted' : 'failed'
}

function recordOf(call: Call, startedAt: number, response: Response | undefined, failure: unknown): CallRecord {
  const { attempts, trace } = call
  const status = response?.status ?? (failure instanceof ServiceResponseError ? failure.status : undefined)
  const requestId = response ? requestIdOf(response.headers) : (failure as ServiceError | undefined)?.requestId
  return {
    ...nameOf(call),
    attempts,
    durationMs: performance.now() - startedAt,
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId }),
    ...(trace !== undefined && { traceId: trace }),
    ...(failure !== undefined && { errorCode: codeOf(failure) }),
  }
}

/** Half an answer is not a success; nor is one below 500 that is none a failure. */
function settlePermit({ permit, signal, bodyEnd }: Call, { response, failure }: End): void {
  if (permit === undefined) return
  const outcome = (error: unknown) => (signal?.aborted ? 'neutral' : outcomeOf(error))
  if (response === undefined) permit(failure === undefined ? 'neutral' : outcome(failure))
  else if (response.status >= 500) {
    // Stryker disable next-line StringLiteral: whatever is neither a success nor neutral is a failure.
    permit('failure')
  }
  // A hook's own answer, in place of a retry, says nothing of the service.
  else if (bodyEnd === undefined) permit('neutral')
  else bodyEnd.then((error) => permit(error !== undefined ? outcome(error) : response.ok ? 'success' : 'neutral'))
}

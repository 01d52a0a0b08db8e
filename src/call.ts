import { createHolds, follow } from './abort.ts'
import type { Deadline } from './deadline.ts'
import type { FailingCall } from './failure.ts'
import type { Outcome, RetryRules } from './retry.ts'

/** What belongs to one invocation, and to nothing that outlives it. */
export interface Invocation {
  readonly deadline?: Deadline | undefined
  readonly readTrace: () => string | undefined
}

/** One call of a client, from its options to the end of its answer; retries are attempts of the same call. */
export interface Call extends FailingCall {
  method: string
  path: string
  signal?: AbortSignal | undefined
  totalTimeout?: number
  attempts: number
  readonly secrets: Set<string>
  /** Milliseconds an attempt may take; false: only the deadline bounds it. */
  timeout: number | false
  readonly trace: string | undefined
  /** Absent for `.fetch`, which retries nothing. */
  retry?: RetryRules
  /** How the last attempt ended; absent before the first one. */
  outcome?: Outcome
  retries: number
  lastResponse?: Response
  /** What keeps the caller's own Request, and with it its signal, alive as long as the call. */
  target?: URL | Request
  /** Aborts with the caller's signal or the deadline, as soon as the call has begun. */
  bounds?: Bounds
}

/** The bounds of a call, for as long as somebody needs them: the call itself, and each body that is still open. */
export interface Bounds {
  readonly signal: AbortSignal
  /** Until the function that is returned is called; after the last one, neither listener nor timer is left. */
  readonly hold: () => () => void
}

export function openCall(service: { name: string; timeout: number }, { deadline, readTrace }: Invocation): Call {
  return {
    service: service.name,
    method: 'GET',
    path: '/',
    attempts: 0,
    retries: 0,
    secrets: new Set(),
    timeout: service.timeout,
    trace: readTrace(),
    deadline,
    budget: deadline?.remaining() ?? 0,
  }
}

/** Puts a call under its caller's signal and its invocation's deadline. */
export function openBounds(call: Call, signal: AbortSignal | null | undefined): Bounds {
  call.signal = signal ?? undefined
  const { signal: ends, stop } = follow([call.signal, call.deadline?.signal])
  let releaseDeadline: (() => void) | undefined
  const hold = createHolds(
    () => {
      releaseDeadline = call.deadline?.hold()
    },
    () => {
      stop()
      releaseDeadline?.()
    },
  )
  call.bounds = { signal: ends, hold }
  return call.bounds
}

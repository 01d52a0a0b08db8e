import type { ServiceConfig } from '../config/resolve-config.ts'
import type { FailingCall } from '../errors/failure.ts'
import type { Deadline } from '../middleware/deadline.ts'
import type { PendingCalls } from '../middleware/pending-calls.ts'
import type { SendSigned } from '../signing/signed-fetch.ts'
import { createHolds, type EndSignal, follow } from './abort.ts'
import type { Reporter } from './call-log.ts'
import type { CircuitBreaker, Permit } from './circuit-breaker.ts'
import type { RetryQuota } from './retry-budget.ts'
import type { Attempt, RetryRules } from './retry-policy.ts'

/** What belongs to one invocation, and to nothing that outlives it. */
export interface Invocation {
  readonly deadline?: Deadline | undefined
  readonly readTrace: () => string | undefined
  /** Absent outside a handler, where nothing freezes. */
  readonly pending?: PendingCalls | undefined
}

/** What the calls of one service share in an environment. */
export interface ServiceRuntime {
  readonly send: SendSigned
  readonly quota: RetryQuota
  readonly breaker: CircuitBreaker | undefined
  readonly report: Reporter
}

/** One call of a client, from its options to the end of its answer; retries are attempts of the same call. */
export interface Call extends FailingCall {
  method: string
  path: string
  /** Path of the URL that was checked to lie below the base. */
  pathname?: string
  canonicalRequest?: string
  signal?: AbortSignal | undefined
  totalTimeout?: number
  attempts: number
  readonly secrets: Set<string>
  /** Milliseconds an attempt may take; false: only the deadline bounds it. */
  timeout: number | false
  readonly trace: string | undefined
  /** Absent for `.fetch`, which retries nothing. */
  retry?: RetryRules
  /** The last attempt and how it ended; absent before the first one. */
  lastAttempt?: Attempt
  /** Told how the call ended, where a circuit breaker let it out. */
  permit?: Permit | undefined
  /** Resolves when the last answer's body has ended, with what it failed with. */
  bodyEnd?: Promise<unknown>
  lastResponse?: Response
  /** What keeps the caller's own Request, and with it its signal, alive as long as the call. */
  target?: URL | Request
  /** The invocation ended before the call did. */
  isCut?: boolean
  /** Aborts with the caller's signal or the deadline, as soon as the call has begun. */
  bounds?: Bounds
}

/** The bounds of a call, for as long as somebody needs them: the call itself, and each body that is still open. */
export interface Bounds {
  readonly signal: EndSignal
  /** Until the function that is returned is called; after the last one, neither listener nor timer is left. */
  readonly hold: () => () => void
  /** Ends the call as the invocation's end does. */
  readonly abort: () => void
}

export function openCall(service: ServiceConfig, invocation: Invocation): Call {
  const { deadline } = invocation
  return {
    service: service.name,
    url: service.base?.href,
    method: 'GET',
    path: '/',
    attempts: 0,
    secrets: new Set(),
    timeout: service.timeout,
    trace: invocation.readTrace(),
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
  const cut = () => {
    call.isCut = true
    ends.abort()
  }
  call.bounds = { signal: ends, hold, abort: cut }
  return call.bounds
}

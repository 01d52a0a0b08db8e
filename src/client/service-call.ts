import type { ResponsePromise, RetryOptions } from 'ky'
import { MAX_TIMER_MS, type ServiceConfig } from '../config/index.ts'
import {
  attemptFailure,
  CUT_MARK,
  callFailure,
  deadlineError,
  type FailingCall,
  handlerEndedError,
  idleTimeoutError,
  MAX_ERROR_BODY,
  prepareFailure,
  type RefusalRules,
  type Remedy,
  readTransportError,
  retryRefused,
  ServiceRequestError,
  ServiceResponseError,
  timeoutError,
  tooLargeError,
  toShowable,
  withoutControls,
} from '../errors/index.ts'
import { findKind, type SendSigned, type SignedCall, type UnsignedRequest } from '../signing/index.ts'
import { forwardAbort, sleep } from './abort.ts'
import { codeOf, lineOf, nameOf, type Reporter, recordOf } from './call-log.ts'
import { CallPromise } from './call-promise.ts'
import { type CircuitBreaker, outcomeOf, type Permit } from './circuit-breaker.ts'
import { pathBelow, type RequestUrl, resolveRequestUrl } from './request-url.ts'
import type { RetryBudget } from './retry-budget.ts'
import { type Attempt, type AttemptRequest, narrowRetry, type RetryRules } from './retry-policy.ts'
import { TRACE_HEADER } from './trace.ts'

/** What belongs to one invocation, and to nothing that outlives it. */
export interface Invocation {
  /** Milliseconds left for calls; absent outside a handler. */
  readonly remaining?: (() => number) | undefined
  /** Value of the trace header that calls carry on. */
  readonly readTrace: () => string | undefined
  /** The calls that a freeze at the handler's end would cut; absent outside a handler, where nothing freezes. */
  readonly pending?: PendingCallRegistry | undefined
}

/** Where an invocation keeps track of its calls. */
export interface PendingCallRegistry {
  /** A call has begun. */
  readonly add: (call: ServiceCall) => void
  /** A call has ended. */
  readonly remove: (call: ServiceCall) => void
}

/** What the calls of one service share in an environment. */
export interface ServiceState {
  readonly sendSigned: SendSigned
  readonly retryBudget: RetryBudget
  readonly breaker: CircuitBreaker | undefined
  readonly report: Reporter
}

/** Bounds of one call, as its caller wants them. */
export interface CallBounds {
  readonly signal?: AbortSignal | null | undefined
  /** Milliseconds an attempt may take, headers and body together; false: only the deadline bounds it. */
  readonly timeout?: number | false | undefined
  /** Milliseconds the whole call may take. */
  readonly totalTimeout?: number | false | undefined
}

const BODY_METHODS = ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'bytes'] as const

/** A call that has been started: ky's promise, or that of a bare fetch. */
type Started = Promise<Response> &
  Partial<Record<(typeof BODY_METHODS)[number], (schema?: unknown) => Promise<unknown>>>

/** The error that reading a body failed with. In an object: a promise looks into what it resolves with. */
interface BodyEnd {
  readonly error: unknown
}

interface SendOptions {
  /** Ends the attempt, beside the call's own signal. */
  readonly endsWith?: AbortSignal | undefined
  /** Whether a status that is not a success is thrown as an error, whose body is then cut. */
  readonly isError?: ((status: number) => boolean) | undefined
}

type ResponseLimits = Omit<Parameters<SendSigned>[2], 'signal' | 'toError'>

/** Header by which a service knows a request that it has seen before. */
const IDEMPOTENCY_KEY = 'idempotency-key'

/**
 * One call, from its options to its outcome. Retries are attempts of the same call.
 *
 * The call has one `AbortController`, and so has each attempt. The reason that they abort with is the error that the
 * caller gets, whatever the call is waiting for at that moment.
 */
export class ServiceCall implements SignedCall, FailingCall {
  readonly service: string
  readonly url: string | undefined
  method = 'GET'
  path = '/'
  attempts = 0
  readonly secrets: Set<string> = new Set()
  readonly tried: Set<Remedy> = new Set()
  canonicalRequest?: string
  timeout: number | false
  /** What goes out as the trace header. */
  trace: string | undefined
  callerSignal: AbortSignal | undefined
  lastResponse: Response | undefined
  /** True for a call that was aborted at its handler's end, and named there. */
  isCut = false

  readonly #config: ServiceConfig
  readonly #state: ServiceState
  readonly #invocation: Invocation
  readonly #startedAt: number = performance.now()
  /** Milliseconds until the deadline when the call began. */
  readonly #budget: number
  readonly #controller = new AbortController()
  #totalTimeout: number | undefined
  #requestUrl!: RequestUrl
  #response: Response | undefined
  /** Absent for `.fetch`, which retries nothing. */
  #retryRules: RetryRules | undefined
  #lastAttempt: Attempt | undefined
  #permit: Permit | undefined
  /** Resolves when the last response's body has ended, with the error that reading it failed with. */
  #bodyEnd: Promise<BodyEnd> | undefined
  #promises: CallPromise<unknown>[] = []
  #failed: { readonly error: unknown; readonly failure: unknown } | undefined
  #hasEnded = false
  /** The call itself, and attempts whose body is open. The last one takes the call's timers and listeners with it. */
  #open = 1
  readonly #cleanUps: (() => void)[] = []

  constructor(config: ServiceConfig, state: ServiceState, invocation: Invocation) {
    this.#config = config
    this.#state = state
    this.#invocation = invocation
    this.service = config.name
    this.url = config.base?.href
    this.timeout = config.timeout
    this.trace = invocation.readTrace()
    this.#budget = this.#untilDeadline()
  }

  /** Aborts when the call must end; its reason is the error that the call ends with. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get scope(): { readonly region: string; readonly signingName: string } {
    return this.#config
  }

  /** How the service's gateway refuses, which depends on the path. */
  get refusals(): RefusalRules {
    return findKind(this.#config.signingName, `${this.#config.base?.path}${this.path}`)
  }

  get durationMs(): number {
    return performance.now() - this.#startedAt
  }

  /** Whether anybody listens to the call's outcome. */
  get isHeard(): boolean {
    return this.#promises.some(({ isHeard }) => isHeard)
  }

  /** What the call ended with: a `ServiceError`, or one of the two errors that pass through. */
  get failure(): unknown {
    return this.#failed && toShowable(this.#failed.failure)
  }

  /** Tells of a failure that nobody listens to. The error's own message may quote queries and bodies. */
  warnUnheard(): void {
    if (this.isHeard || this.isCut) return
    const status = this.failure instanceof ServiceResponseError ? this.failure.status : undefined
    const line = lineOf(this, status, codeOf(this.failure))
    this.#state.report.warn(`A call failed and was never awaited: ${line}`, { call: nameOf(this) })
  }

  /** Ends the call because its handler has ended. */
  cut(): void {
    this.isCut = true
    this.#controller.abort(handlerEndedError(this))
  }

  nameMethod(method: string | undefined): void {
    if (method !== undefined) this.method = withoutControls(String(method)).toUpperCase()
  }

  /**
   * Finds where the call goes.
   * @throws ServiceRequestError for an input that is not below the service's base URL
   */
  locate(input: unknown, allow?: { readonly absolute?: boolean }): URL | Request {
    this.#requestUrl = resolveRequestUrl(this.#config, this, input, allow)
    this.path = this.#requestUrl.path
    return this.#requestUrl.target
  }

  /**
   * Starts the call's timers, and follows its caller's signal.
   * @throws ServiceRequestError for a timeout that is none
   */
  bound({ signal, timeout = this.timeout, totalTimeout = false }: CallBounds): void {
    for (const [name, ms] of Object.entries({ timeout, totalTimeout })) {
      if (ms !== false && !(ms > 0 && ms <= MAX_TIMER_MS)) {
        throw new ServiceRequestError(this, `the ${name} must be false or between 0 and ${MAX_TIMER_MS} ms`)
      }
    }
    this.timeout = timeout
    if (signal) {
      this.callerSignal = signal
      this.#cleanUps.push(forwardAbort(signal, this.#controller))
    }
    if (this.#budget <= MAX_TIMER_MS) this.#abortAfter(this.#budget, () => deadlineError(this, this.#budget))
    if (totalTimeout !== false) {
      this.#totalTimeout = totalTimeout
      this.#abortAfter(totalTimeout, () => timeoutError(this, totalTimeout))
    }
  }

  /** The retry policy for ky: the caller's, within the rules of the package. */
  retryOptions(wanted: RetryOptions): RetryOptions {
    this.#retryRules = narrowRetry(wanted, {
      budget: this.#state.retryBudget,
      refusals: () => this.refusals,
      random: () => Math.random(),
      wait: (ms) => sleep(ms, this.signal),
      lastAttempt: () => this.#lastAttempt,
      remaining: () => this.#remaining(),
      // Without a deadline, nobody is made to wait longer than an attempt may take.
      patience:
        this.#invocation.remaining === undefined && this.timeout !== false ? this.timeout : Number.POSITIVE_INFINITY,
    })
    return this.#retryRules.options
  }

  /** Runs the call to its end: within its bounds, and with its errors. */
  run(start: () => Promise<Response>): CallPromise<Response> {
    return this.#run(start).promise
  }

  /** The same for ky's promise, whose body methods fail as the promise does. */
  runKy(start: () => ResponsePromise): ResponsePromise {
    const { promise, started } = this.#run(start)
    const readers = BODY_METHODS.map((name) => [
      name,
      (schema?: unknown) => this.#settle(started[name]?.(schema) ?? started, () => this.#end(this.#response)),
    ])
    return Object.assign(promise, Object.fromEntries(readers))
  }

  #run(start: () => Started): { promise: CallPromise<Response>; started: Started } {
    this.#state.retryBudget.deposit()
    let started: Started
    try {
      started = start()
    } catch (error) {
      started = Promise.reject(error)
    }
    // Now that its method is known. Nothing has been sent yet.
    this.#invocation.pending?.add(this)
    const promise = this.#settle(started, (response) => {
      this.#response = response
      // The first promise; each further one is a body's reader, by which the call ends.
      if (this.#promises.length === 1) this.#end(response)
    })
    return { promise, started }
  }

  /** Sends one attempt. Resolves for every status. */
  async send(request: UnsignedRequest, { endsWith, isError }: SendOptions = {}): Promise<Response> {
    const { method, headers } = request
    const attempt = { method, idempotencyKey: headers.get(IDEMPOTENCY_KEY) }
    this.#admit(request, attempt)
    this.#permit ??= this.#state.breaker?.acquire(this)
    const ownTrace = headers.get(TRACE_HEADER)
    if (ownTrace !== null) this.trace = ownTrace
    else if (this.trace !== undefined) headers.set(TRACE_HEADER, this.trace)

    const controller = new AbortController()
    const { signal } = controller
    const stops = [forwardAbort(this.signal, controller)]
    if (endsWith !== undefined) stops.push(forwardAbort(endsWith, controller))
    const { timeout } = this
    const timer =
      timeout === false ? undefined : setTimeout(() => controller.abort(timeoutError(this, timeout)), timeout)
    const limits = this.#limits(controller)
    // Until the head comes, no byte has.
    const headTimer = limits.idle && setTimeout(limits.idle.expire, limits.idle.ms)
    this.#open += 1
    const before = this.attempts
    const end = () => {
      clearTimeout(timer)
      clearTimeout(headTimer)
      for (const stop of stops) stop()
      this.#close()
    }
    const toError = (error: unknown) => (signal.aborted ? signal.reason : attemptFailure(error, this))
    try {
      const response = await this.#state.sendSigned(request, this, { signal, toError, ...limits })
      if (!response.ok && isError?.(response.status)) response.truncate(MAX_ERROR_BODY, CUT_MARK)
      this.#lastAttempt = { ...attempt, outcome: response }
      this.lastResponse = response
      timer?.unref()
      clearTimeout(headTimer)
      const { promise, resolve } = Promise.withResolvers<BodyEnd>()
      this.#bodyEnd = promise
      response.onEnd((error) => {
        end()
        resolve({ error })
      })
      return response
    } catch (error) {
      end()
      if (this.attempts > before && readTransportError(error).neverSent) this.attempts -= 1
      const failure = toError(error)
      this.#lastAttempt = { ...attempt, outcome: failure as Error }
      throw failure
    }
  }

  /** The limits of a response, and how they end it. */
  #limits(controller: AbortController): ResponseLimits {
    const { idleTimeout: ms, maxConnections, maxResponseSize: bytes } = this.#config
    return {
      maxConnections,
      onRead: () => this.#watchReader(),
      ...(ms !== undefined && { idle: { ms, expire: () => controller.abort(idleTimeoutError(this, ms)) } }),
      ...(bytes !== false && { size: { bytes, createError: (response) => tooLargeError(this, response, bytes) } }),
    }
  }

  /** A body that is read after the call has ended is in flight as well. */
  #watchReader(): void {
    const { pending } = this.#invocation
    if (!this.#hasEnded || pending === undefined) return
    pending.add(this)
    this.#bodyEnd?.then(() => pending.remove(this))
  }

  /** Refuses what must not go out, wherever it comes from: hooks can put another request in the place of ours. */
  #admit({ method, url }: UnsignedRequest, attempt: AttemptRequest): void {
    this.method = method
    this.path = pathBelow(this.#requestUrl.base, url, this)
    const last = this.#lastAttempt
    if (last !== undefined && !this.#retryRules?.allow(attempt, last)) throw retryRefused(this, last.outcome)
    if (this.#untilDeadline() <= 0) throw deadlineError(this, this.#budget)
    if (this.#remaining() <= 0) throw timeoutError(this, this.#totalTimeout as number)
  }

  /** Milliseconds left for the call. */
  #remaining(): number {
    const total = this.#totalTimeout === undefined ? Number.POSITIVE_INFINITY : this.#totalTimeout - this.durationMs
    return Math.min(this.#untilDeadline(), total)
  }

  #untilDeadline(): number {
    return this.#invocation.remaining?.() ?? Number.POSITIVE_INFINITY
  }

  #abortAfter(ms: number, createReason: () => Error): void {
    // Unreferenced: a response that nobody reads must not keep the process alive.
    const timer = setTimeout(() => this.#controller.abort(createReason()), Math.max(0, ms)).unref()
    this.#cleanUps.push(() => clearTimeout(timer))
  }

  /** The outcome of `source` or the abort of the call, whichever comes first: hooks may never settle. */
  #settle<T>(source: Promise<T>, succeed: (value: T) => void): CallPromise<T> {
    const { signal } = this
    const promise = new CallPromise<T>((resolve, reject) => {
      const fail = (error: unknown) => {
        signal.removeEventListener('abort', abort)
        reject(this.#fail(error))
      }
      const abort = () => fail(signal.reason)
      if (signal.aborted) queueMicrotask(abort)
      else signal.addEventListener('abort', abort)
      source.then(
        (value) => {
          signal.removeEventListener('abort', abort)
          succeed(value)
          resolve(value)
        },
        async (error: unknown) => {
          await prepareFailure(error)
          fail(error)
        },
      )
    })
    this.#promises.push(promise)
    return promise
  }

  #fail(error: unknown): unknown {
    if (this.#failed === undefined || this.#failed.error !== error) {
      let failure: unknown
      try {
        failure = callFailure(error, this)
      } catch {
        failure = new ServiceRequestError(this, 'an error that cannot be read')
      }
      this.#failed = { error, failure }
    }
    const { failure } = this.#failed
    this.#end(this.#response, this.failure)
    return failure
  }

  /** Reports how the call ended, once, before whoever awaits it goes on. */
  #end(response: Response | undefined, failure?: unknown): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const { retryBudget, report } = this.#state
    try {
      if (response?.ok) retryBudget.refill()
      this.#settlePermit(response, failure)
      report.call?.(recordOf(this, response, failure))
    } catch {
      // A hook's own response may be anything, which must not keep a call from its end.
      this.#permit?.('neutral')
      report.call?.(recordOf(this, undefined, failure))
    }
    const { pending } = this.#invocation
    if (pending !== undefined) pending.remove(this)
    else if (failure !== undefined) setImmediate(() => this.warnUnheard())
    this.#close()
  }

  /** A truncated body is not a success, and a status below 500 that is not one is no failure of the service. */
  #settlePermit(response: Response | undefined, failure: unknown): void {
    const permit = this.#permit
    if (permit === undefined) return
    const outcome = (error: unknown) => (this.callerSignal?.aborted ? 'neutral' : outcomeOf(error))
    if (response === undefined) permit(failure === undefined ? 'neutral' : outcome(failure))
    else if (response.status >= 500) permit('failure')
    // A hook's own response says nothing about the service.
    else if (this.#bodyEnd === undefined) permit('neutral')
    else this.#bodyEnd.then(({ error }) => permit(error ? outcome(error) : response.ok ? 'success' : 'neutral'))
  }

  #close(): void {
    this.#open -= 1
    if (this.#open === 0) for (const cleanUp of this.#cleanUps) cleanUp()
  }
}

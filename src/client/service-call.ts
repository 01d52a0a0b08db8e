import type { ResponsePromise, RetryOptions } from 'ky'
import type { ServiceConfig } from '../config/index.ts'
import {
  attemptFailure,
  callFailure,
  type FailingCall,
  handlerEndedError,
  MAX_ERROR_BODY,
  prepareFailure,
  type RejectionRules,
  type Remedy,
  retryRefused,
  ServiceRequestError,
  ServiceResponseError,
  TRUNCATION_MARK,
  tooLargeError,
  toShowable,
  withoutControls,
} from '../errors/index.ts'
import { findKind, type SendSigned, type SignedCall, type UnsignedRequest } from '../signing/index.ts'
import { sleep } from './abort.ts'
import { type BoundOptions, type CallBounds, createCallBounds } from './bounds.ts'
import { codeOf, lineOf, nameOf, type Reporter, recordOf } from './call-log.ts'
import { CallPromise } from './call-promise.ts'
import { type CircuitBreaker, outcomeOf, type Permit } from './circuit-breaker.ts'
import { pathBelow, type RequestUrl, resolveRequestUrl } from './request-url.ts'
import type { RetryBudget } from './retry-budget.ts'
import { type Attempt, type AttemptRequest, narrowRetry, type RetryRules } from './retry-policy.ts'
import { TRACE_HEADER } from './trace.ts'

/** State of one invocation, which later invocations do not share. */
export interface Invocation {
  /** Milliseconds left for calls. Absent outside a handler. */
  readonly remaining?: (() => number) | undefined
  /** Value of the trace header that calls send. */
  readonly readTrace: () => string | undefined
  /** The pending calls, which a freeze after the handler's end would interrupt. Absent outside a handler. */
  readonly pending?: PendingCallRegistry | undefined
}

/** The pending calls of an invocation. */
export interface PendingCallRegistry {
  /** Called when a call has started. */
  readonly add: (call: ServiceCall) => void
  /** Called when a call has ended. */
  readonly remove: (call: ServiceCall) => void
}

/** State that the calls of one service share in an execution environment. */
export interface ServiceState {
  readonly sendSigned: SendSigned
  readonly retryBudget: RetryBudget
  readonly breaker: CircuitBreaker | undefined
  readonly report: Reporter
}

const BODY_METHODS = ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'bytes'] as const

/** A started call: ky's promise, or the promise of `.fetch`. */
type Started = Promise<Response> &
  Partial<Record<(typeof BODY_METHODS)[number], (schema?: unknown) => Promise<unknown>>>

/** The error of reading a body. In an object, because a promise would call a `then` of the error itself. */
interface BodyEnd {
  readonly error: unknown
}

interface AttemptOptions {
  /** A second signal that ends the attempt, beside the call's signal. */
  readonly endsWith?: AbortSignal | undefined
  /** Whether a status outside 2xx is thrown as an error. The body of an error is cut. */
  readonly isError?: ((status: number) => boolean) | undefined
}

type ResponseLimits = Omit<Parameters<SendSigned>[2], 'signal' | 'toError' | 'idle'>

/** Header by which a service recognises a repeated request. */
const IDEMPOTENCY_KEY = 'idempotency-key'

/** One call, from its options to its outcome. Retries are attempts of the same call. */
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
  /** Value of the trace header. */
  trace: string | undefined
  callerSignal: AbortSignal | undefined
  lastResponse: Response | undefined

  readonly #config: ServiceConfig
  readonly #state: ServiceState
  readonly #invocation: Invocation
  readonly #bounds: CallBounds
  #requestUrl!: RequestUrl
  #response: Response | undefined
  /** Absent for `.fetch`, which has no retries. */
  #retryRules: RetryRules | undefined
  #lastAttempt: Attempt | undefined
  #permit: Permit | undefined
  /** Resolves when the body of the last response has ended, with the error of reading it. */
  #bodyEnd: Promise<BodyEnd> | undefined
  #promises: CallPromise<unknown>[] = []
  /** Whether a body method was called, such as `.json()`. */
  #isReadByMethod = false
  #failed: { readonly error: unknown; readonly failure: unknown } | undefined
  #hasEnded = false
  /** Whether the warning at the handler's end lists the call. */
  #isNamedInWarning = false

  constructor(config: ServiceConfig, state: ServiceState, invocation: Invocation) {
    this.#config = config
    this.#state = state
    this.#invocation = invocation
    this.service = config.name
    this.url = config.base?.href
    this.timeout = config.timeout
    this.trace = invocation.readTrace()
    this.#bounds = createCallBounds(this, invocation.remaining)
  }

  /** Aborts when the call must end. Its reason is the error of the call. */
  get signal(): AbortSignal {
    return this.#bounds.signal
  }

  get scope(): { readonly region: string; readonly signingName: string } {
    return this.#config
  }

  /** How the service's gateway rejects requests. It depends on the path. */
  get rejections(): RejectionRules {
    return findKind(this.#config.signingName, `${this.#config.base?.path}${this.path}`)
  }

  get durationMs(): number {
    return this.#bounds.elapsed()
  }

  /** Whether a promise of the call has a listener. */
  get hasListener(): boolean {
    return this.#promises.some(({ hasListener }) => hasListener)
  }

  /** The error of the call: a `ServiceError`, the caller's abort reason, or ky's `SchemaValidationError`. */
  get failure(): unknown {
    return this.#failed && toShowable(this.#failed.failure)
  }

  /** Logs a failure without a listener. The line leaves out the error's message, which may quote queries and bodies. */
  warnUnawaited(): void {
    if (this.hasListener || this.#isNamedInWarning) return
    const status = this.failure instanceof ServiceResponseError ? this.failure.status : undefined
    const line = lineOf(this, status, codeOf(this.failure))
    this.#state.report.warn(`A call failed and was never awaited: ${line}`, { call: nameOf(this) })
  }

  /** Records that the warning at the handler's end lists the call. Then its failure is not logged again. */
  markNamedInWarning(): void {
    this.#isNamedInWarning = true
  }

  /** Ends the call because its handler has ended. The warning at the handler's end lists it. */
  abortAtHandlerEnd(): void {
    this.markNamedInWarning()
    this.#bounds.abort(handlerEndedError(this))
  }

  setMethod(method: string | undefined): void {
    if (method !== undefined) this.method = withoutControls(String(method)).toUpperCase()
  }

  /**
   * Resolves the URL of the call.
   * @throws ServiceRequestError for an input that is not below the service's base URL
   */
  resolveUrl(input: unknown, allow?: { readonly absolute?: boolean }): URL | Request {
    this.#requestUrl = resolveRequestUrl(this.#config, this, input, allow)
    this.path = this.#requestUrl.path
    return this.#requestUrl.input
  }

  /**
   * Starts the timers of the call, and follows the caller's signal.
   * @throws ServiceRequestError for an invalid timeout
   */
  startBounds({ signal, timeout = this.timeout, totalTimeout }: BoundOptions): void {
    this.#bounds.start({ signal, timeout, totalTimeout })
    this.timeout = timeout
    this.callerSignal = signal ?? undefined
  }

  /** ky's retry options: the caller's, narrowed to the rules of the package. */
  retryOptions(wanted: RetryOptions): RetryOptions {
    this.#retryRules = narrowRetry(wanted, {
      retryBudget: this.#state.retryBudget,
      rejections: () => this.rejections,
      random: () => Math.random(),
      wait: (ms) => sleep(ms, this.signal),
      lastAttempt: () => this.#lastAttempt,
      remaining: this.#bounds.remaining,
      // Without a deadline, a retry waits no longer than the timeout of an attempt.
      maxAskedDelayMs:
        this.#invocation.remaining === undefined && this.timeout !== false ? this.timeout : Number.POSITIVE_INFINITY,
    })
    return this.#retryRules.options
  }

  /** Runs `start` as this call, within its timeouts. The promise rejects with the error of the call. */
  run(start: () => Promise<Response>): CallPromise<Response> {
    return this.#run(start).promise
  }

  /** Like `run`, for ky's promise. Its body methods reject with the error of the call, too. */
  runKy(start: () => ResponsePromise): ResponsePromise {
    const { promise, started } = this.#run(start)
    const readers = BODY_METHODS.map((name) => [
      name,
      (schema?: unknown) => {
        this.#isReadByMethod = true
        return this.#settle(started[name]?.(schema) ?? started, () => this.#end(this.#response))
      },
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
    // Here, because the method is known, but nothing has been sent yet.
    this.#invocation.pending?.add(this)
    const promise = this.#settle(started, (response) => {
      this.#response = response
      // Without a body method, the call ends with its head. Else it ends with the promise of the body method.
      if (!this.#isReadByMethod) this.#end(response)
    })
    return { promise, started }
  }

  /** Sends one attempt. Resolves for every status. */
  async send(request: UnsignedRequest, { endsWith, isError }: AttemptOptions = {}): Promise<Response> {
    const { method, headers } = request
    const attempt = { method, idempotencyKey: headers.get(IDEMPOTENCY_KEY) }
    this.#admit(request, attempt)
    this.#permit ??= this.#state.breaker?.acquire(this)
    const ownTrace = headers.get(TRACE_HEADER)
    if (ownTrace !== null) this.trace = ownTrace
    else if (this.trace !== undefined) headers.set(TRACE_HEADER, this.trace)

    const { signal, idle, headArrived, end } = this.#bounds.startAttempt(this.#config.idleTimeout, endsWith)
    let hasBegun = false
    const toError = (error: unknown) => (signal.aborted ? signal.reason : attemptFailure(error, this, hasBegun))
    try {
      const response = await this.#state.sendSigned(request, this, { signal, toError, idle, ...this.#limits() })
      hasBegun = true
      if (!response.ok && isError?.(response.status)) response.truncate(MAX_ERROR_BODY, TRUNCATION_MARK)
      this.#lastAttempt = { ...attempt, outcome: response }
      this.lastResponse = response
      headArrived()
      const { promise, resolve } = Promise.withResolvers<BodyEnd>()
      this.#bodyEnd = promise
      response.onEnd((error) => {
        end()
        resolve({ error })
      })
      return response
    } catch (error) {
      end()
      const failure = toError(error)
      this.#lastAttempt = { ...attempt, outcome: failure as Error }
      throw failure
    }
  }

  /** The limits of a response, and the errors of exceeding them. */
  #limits(): ResponseLimits {
    const { maxConnections, maxResponseSize: bytes } = this.#config
    return {
      maxConnections,
      onRead: () => this.#watchReader(),
      ...(bytes !== false && { size: { bytes, createError: (response) => tooLargeError(this, response, bytes) } }),
    }
  }

  /** Keeps the call pending while its body is read after the call has ended. */
  #watchReader(): void {
    const { pending } = this.#invocation
    // Without a body's end, an attempt read a response after the call was aborted.
    if (!this.#hasEnded || pending === undefined || this.#bodyEnd === undefined) return
    pending.add(this)
    this.#bodyEnd.then(() => pending.remove(this))
  }

  /** Refuses a request that must not be sent. Checked for each attempt, because hooks can replace the request. */
  #admit({ method, url }: UnsignedRequest, attempt: AttemptRequest): void {
    this.method = method
    this.path = pathBelow(this.#requestUrl.base, url, this)
    const last = this.#lastAttempt
    if (last !== undefined && !this.#retryRules?.allow(attempt, last)) throw retryRefused(this, last.outcome)
    this.#bounds.check()
  }

  /** Settles like `source`, or when the call aborts: a hook of the caller may never settle. */
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

  /** Reports the outcome of the call, once, before code that awaits the call continues. */
  #end(response: Response | undefined, failure?: unknown): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const { retryBudget, report } = this.#state
    try {
      if (response?.ok) retryBudget.refill()
      this.#settlePermit(response, failure)
      report.call?.(recordOf(this, response, failure))
    } catch {
      // A hook may return an invalid response. The call must end all the same.
      this.#permit?.('neutral')
      report.call?.(recordOf(this, undefined, failure))
    }
    const { pending } = this.#invocation
    if (pending !== undefined) pending.remove(this)
    else if (failure !== undefined) setImmediate(() => this.warnUnawaited())
    this.#bounds.end()
  }

  /**
   * Reports the outcome to the circuit breaker. A truncated body is no success. A status from 300 to 499 is neutral.
   */
  #settlePermit(response: Response | undefined, failure: unknown): void {
    const permit = this.#permit
    if (permit === undefined) return
    const outcome = (error: unknown) => (this.callerSignal?.aborted ? 'neutral' : outcomeOf(error))
    if (response === undefined) permit(failure === undefined ? 'neutral' : outcome(failure))
    else if (response.status >= 500) permit('failure')
    // A response that a hook made does not show whether the service works.
    else if (this.#bodyEnd === undefined) permit('neutral')
    else this.#bodyEnd.then(({ error }) => permit(error ? outcome(error) : response.ok ? 'success' : 'neutral'))
  }
}

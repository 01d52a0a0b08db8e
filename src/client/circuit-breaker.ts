import { type CircuitBreakerOptions, circuitBreakerDefaults } from '../config/index.ts'
import {
  type CallInfo,
  CircuitOpenError,
  isOutOfDescriptors,
  ServiceError,
  ServiceNetworkError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceTimeoutError,
} from '../errors/index.ts'

/** How a call ended for the circuit; neutral says nothing of the service's health. */
export type CircuitOutcome = 'success' | 'failure' | 'neutral'

/** Leave to make one call; tells the circuit, once, how it ended. */
export type Permit = (outcome: CircuitOutcome) => void

/**
 * Refuses calls to a service that keeps failing: closed, it lets all pass; after `failureThreshold` consecutive failures
 * it is open and lets none pass; after `resetTimeout` it is half-open, and one call at a time may probe the service.
 */
export class CircuitBreaker {
  readonly #failureThreshold: number
  readonly #resetTimeout: number
  readonly #now: () => number
  #failures = 0
  #openedAt: number | undefined
  /** When the call that probes was let out; undefined while none is under way. */
  #probedAt: number | undefined
  /** Goes up with every change of state, so that a call from before it cannot count after it. */
  #generation = 0

  /**
   * `now` tells milliseconds on a clock that does not go back.
   * @throws RangeError for options that are not above 0
   */
  constructor(options: CircuitBreakerOptions = {}, now: () => number = () => performance.now()) {
    this.#failureThreshold = options.failureThreshold ?? circuitBreakerDefaults.failureThreshold
    this.#resetTimeout = options.resetTimeout ?? circuitBreakerDefaults.resetTimeout
    this.#now = now
    for (const [name, value] of Object.entries({
      failureThreshold: this.#failureThreshold,
      resetTimeout: this.#resetTimeout,
    })) {
      if (!(value > 0)) throw new RangeError(`Option '${name}' must be > 0`)
    }
  }

  /**
   * Runs `call` if the circuit lets it. Server errors, network errors and timeouts count as failures, as does any error
   * that is not of this package; what the caller or its invocation ended does not, nor do errors of answers below 500.
   * Whatever `call` resolves with is a success, a `Response` of any status too.
   * @param call What to run, once at most.
   * @throws CircuitOpenError, and whatever `call` throws
   */
  async execute<T>(call: () => Promise<T> | T): Promise<T> {
    const permit = this.acquire({ service: 'circuit breaker', method: 'CALL', path: '/', attempts: 0 })
    try {
      const result = await call()
      permit('success')
      return result
    } catch (error) {
      permit(outcomeOf(error))
      throw error
    }
  }

  /**
   * The same in two steps, for a call whose end its caller reports.
   * @param call What the error is to name.
   * @throws CircuitOpenError
   */
  acquire(call: CallInfo): Permit {
    // A probe that is never heard of again must not keep the circuit open for good.
    const since = this.#probedAt ?? this.#openedAt ?? Number.NEGATIVE_INFINITY
    const retryAfterMs = since + this.#resetTimeout - this.#now()
    if (retryAfterMs > 0) throw new CircuitOpenError(call, { retryAfterMs: Math.ceil(retryAfterMs) })
    if (this.#openedAt !== undefined) {
      this.#generation += 1
      this.#probedAt = this.#now()
    }
    const generation = this.#generation
    let isUsed = false
    return (outcome) => {
      if (isUsed || generation !== this.#generation) return
      isUsed = true
      if (outcome === 'success') this.#close()
      else if (outcome === 'neutral') this.#probedAt = undefined
      else this.#fail()
    }
  }

  #close(): void {
    this.#failures = 0
    if (this.#openedAt === undefined) return
    this.#openedAt = undefined
    this.#probedAt = undefined
    this.#generation += 1
  }

  #fail(): void {
    this.#failures += 1
    // They stay when the circuit opens, so that one probe that fails is enough.
    if (this.#failures < this.#failureThreshold) return
    this.#openedAt = this.#now()
    this.#probedAt = undefined
    this.#generation += 1
  }
}

/** What an error says of the service's health. One that cannot be looked at is no error of this package. */
export function outcomeOf(error: unknown): CircuitOutcome {
  try {
    return judge(error)
  } catch {
    return 'failure'
  }
}

function judge(error: unknown): CircuitOutcome {
  if (error instanceof ServiceResponseError) return error.status >= 500 ? 'failure' : 'neutral'
  if (error instanceof ServiceNetworkError) return isOutOfDescriptors(error.networkCode) ? 'neutral' : 'failure'
  if (error instanceof ServiceTimeoutError) return error.deadline ? 'neutral' : 'failure'
  if (error instanceof ServiceError || error instanceof ServicesConfigurationError) return 'neutral'
  const { name, code, errors } = Object(error) as { name?: unknown; code?: unknown; errors?: readonly unknown[] }
  if (code === 'ERR_BATCH_INVOKE') return errors?.some((one) => outcomeOf(one) === 'failure') ? 'failure' : 'neutral'
  // What the caller's own signal ended, `AbortSignal.timeout()` too. ky has a `TimeoutError` of its own: a slow service.
  const isSignals = name === 'TimeoutError' && Object.prototype.toString.call(error) === '[object DOMException]'
  return name === 'AbortError' || isSignals ? 'neutral' : 'failure'
}

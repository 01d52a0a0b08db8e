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

/** Outcome of a call for the circuit. `neutral`: it does not show whether the service works. */
export type CircuitOutcome = 'success' | 'failure' | 'neutral'

/** Permission for one call. The caller reports the outcome of the call with it, once. */
export type Permit = (outcome: CircuitOutcome) => void

/** The states of a circuit. `CircuitBreaker` of the plain functions describes them. The options have been checked. */
export class CircuitBreaker {
  readonly #failureThreshold: number
  readonly #resetTimeout: number
  readonly #now: () => number
  #failures = 0
  #openedAt: number | undefined
  /** When the current probe started. Undefined without a probe. */
  #probedAt: number | undefined
  /** Increases with each change of state, so that the outcome of an earlier call is ignored. */
  #generation = 0

  /** `now` returns milliseconds of a monotonic clock. */
  constructor(options: CircuitBreakerOptions = {}, now: () => number = () => performance.now()) {
    this.#failureThreshold = options.failureThreshold ?? circuitBreakerDefaults.failureThreshold
    this.#resetTimeout = options.resetTimeout ?? circuitBreakerDefaults.resetTimeout
    this.#now = now
  }

  /**
   * Admits a call. The caller runs it and reports its outcome.
   * @param call The call that a `CircuitOpenError` names.
   * @throws CircuitOpenError if the circuit is open
   */
  acquire(call: CallInfo): Permit {
    // A probe that never ends must not keep the circuit open forever.
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
    // The count stays when the circuit opens, so that one failed probe opens it again.
    if (this.#failures < this.#failureThreshold) return
    this.#openedAt = this.#now()
    this.#probedAt = undefined
    this.#generation += 1
  }
}

/** The outcome that an error stands for. An error that cannot be read is not from this package. */
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
  // The caller's signal ended the call, also `AbortSignal.timeout()`. ky's own `TimeoutError` means a slow service.
  const isAbortSignalTimeout =
    name === 'TimeoutError' && Object.prototype.toString.call(error) === '[object DOMException]'
  return name === 'AbortError' || isAbortSignalTimeout ? 'neutral' : 'failure'
}

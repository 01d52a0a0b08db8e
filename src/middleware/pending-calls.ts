// Imported, because fake timers replace the global function.
import { setImmediate } from 'node:timers'
import type { PendingCallRegistry, Reporter, ServiceCall } from '../client/index.ts'
import type { PendingCallsOption } from '../config/index.ts'
import { ServiceTimeoutError } from '../errors/index.ts'

/** Methods that write. Every other call is aborted when the handler ends. */
const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

type CallEnd = 'finished' | 'failed' | 'aborted'

/** The calls of one invocation. A freeze after its end would interrupt the pending ones. */
export class PendingCalls implements PendingCallRegistry {
  readonly #option: PendingCallsOption
  readonly #warn: Reporter['warn']
  readonly #calls = new Set<ServiceCall>()
  /** Failed calls without a listener so far. */
  readonly #unawaited = new Set<ServiceCall>()
  /** Calls that were pending when the handler ended. One warning lists them. */
  readonly #named: { readonly call: ServiceCall; readonly end: CallEnd }[] = []
  #state: 'running' | 'left alone' | 'ending' | 'closed' = 'running'
  /** Called for each call that ends after the handler has ended. */
  #onRemove: () => void = () => {}

  constructor(option: PendingCallsOption, warn: Reporter['warn']) {
    this.#option = option
    this.#warn = warn
  }

  add(call: ServiceCall): void {
    // A call that starts after the end would continue in the next invocation. A reading call would delay the end.
    const isTooLate = this.#state === 'closed' || (this.#state === 'ending' && !WRITES.has(call.method))
    if (isTooLate) call.abortAtHandlerEnd()
    else this.#calls.add(call)
  }

  remove(call: ServiceCall): void {
    const wasPending = this.#calls.delete(call)
    if (wasPending && this.#state === 'ending') {
      const end = endOf(call)
      this.#named.push({ call, end })
      // The warning about pending calls already lists it.
      if (end === 'aborted') call.markNamedInWarning()
    }
    if (call.failure !== undefined) this.#watchUnawaited(call)
    this.#onRemove()
  }

  /** Finishes or aborts pending calls when the handler ends. Undefined if there is nothing to wait for. */
  finish(isStreamed: boolean): Promise<void> | undefined {
    if (this.#state !== 'running') return undefined
    this.#state = this.#option === 'ignore' || isStreamed ? 'left alone' : 'ending'
    for (const call of this.#unawaited) call.warnUnawaited()
    this.#unawaited.clear()
    if (this.#state === 'left alone') return undefined
    for (const call of this.#calls) if (!WRITES.has(call.method)) this.#abort(call)
    if (this.#calls.size > 0) return this.#wait().then(() => this.#close())
    this.#close()
    return undefined
  }

  /** A failed call may get a listener until the handler ends. After that, its failure is a warning. */
  #watchUnawaited(call: ServiceCall): void {
    this.#unawaited.add(call)
    setImmediate(() => {
      if (this.#state === 'running' && !call.hasListener) return
      if (this.#unawaited.delete(call)) call.warnUnawaited()
    })
  }

  /**
   * Waits until all calls have ended, including calls that start meanwhile, or until the time of the option has passed.
   * With `await`, the deadline ends the calls.
   */
  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#option === 'await' ? undefined : setTimeout(resolve, this.#option as number)
      this.#onRemove = () => {
        // Code that waited for this call may start another call first.
        setImmediate(() => {
          if (this.#calls.size > 0) return
          clearTimeout(timer)
          resolve()
        })
      }
    })
  }

  #close(): void {
    this.#state = 'closed'
    for (const call of this.#calls) this.#abort(call)
    if (this.#named.length === 0) return
    const list = this.#named.map(({ call: { service, method, path }, end }) => `${service} ${method} ${path} (${end})`)
    const calls = this.#named.map(({ call: { service, method, path }, end }) => ({ service, method, path, end }))
    this.#warn(`Calls were still pending when the handler ended: ${list.join(', ')}. Await each call in the handler.`, {
      calls,
    })
  }

  #abort(call: ServiceCall): void {
    this.#calls.delete(call)
    this.#named.push({ call, end: 'aborted' })
    call.abortAtHandlerEnd()
  }
}

function endOf({ failure }: ServiceCall): CallEnd {
  if (failure === undefined) return 'finished'
  return failure instanceof ServiceTimeoutError && failure.deadline ? 'aborted' : 'failed'
}

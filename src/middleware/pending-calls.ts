// Imported, so that fake timers leave it alone.
import { setImmediate } from 'node:timers'
import type { PendingCallRegistry, Reporter, ServiceCall } from '../client/index.ts'
import type { PendingCallsOption } from '../config/index.ts'
import { ServiceTimeoutError } from '../errors/index.ts'

/** Methods of calls that write. Every other call may end with its handler. */
const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

type CallEnd = 'finished' | 'failed' | 'aborted'

/** The calls of one invocation, which a freeze after its end would cut. */
export class PendingCalls implements PendingCallRegistry {
  readonly #option: PendingCallsOption
  readonly #warn: Reporter['warn']
  readonly #calls = new Set<ServiceCall>()
  /** Failed calls that nobody has listened to yet. */
  readonly #unheard = new Set<ServiceCall>()
  /** Calls that were in flight when the handler ended, for the one warning that names them. */
  readonly #named: { readonly call: ServiceCall; readonly end: CallEnd }[] = []
  #state: 'running' | 'left alone' | 'ending' | 'closed' = 'running'
  /** Called with each call that ends while the handler's end waits. */
  #onRemove: () => void = () => {}

  constructor(option: PendingCallsOption, warn: Reporter['warn']) {
    this.#option = option
    this.#warn = warn
  }

  add(call: ServiceCall): void {
    // A call that begins later would thaw with the next invocation, and one that reads would hold the end up.
    const isTooLate = this.#state === 'closed' || (this.#state === 'ending' && !WRITES.has(call.method))
    if (isTooLate) call.cut()
    else this.#calls.add(call)
  }

  remove(call: ServiceCall): void {
    const wasPending = this.#calls.delete(call)
    if (wasPending && this.#state === 'ending') {
      const end = endOf(call)
      this.#named.push({ call, end })
      // The warning tells of it.
      if (end === 'aborted') call.isCut = true
    }
    if (call.failure !== undefined) this.#watchUnheard(call)
    this.#onRemove()
  }

  /** Ends what is in flight at the handler's end; undefined where nothing needs to be waited for. */
  finish(isStreamed: boolean): Promise<void> | undefined {
    if (this.#state !== 'running') return undefined
    this.#state = this.#option === 'ignore' || isStreamed ? 'left alone' : 'ending'
    for (const call of this.#unheard) call.warnUnheard()
    this.#unheard.clear()
    if (this.#state === 'left alone') return undefined
    for (const call of this.#calls) if (!WRITES.has(call.method)) this.#cut(call)
    if (this.#calls.size > 0) return this.#wait().then(() => this.#close())
    this.#close()
    return undefined
  }

  /** A failure may be listened to as late as the handler's end, and no later. */
  #watchUnheard(call: ServiceCall): void {
    this.#unheard.add(call)
    setImmediate(() => {
      if (this.#state === 'running' && !call.isHeard) return
      if (this.#unheard.delete(call)) call.warnUnheard()
    })
  }

  /** Until all calls have ended, those that begin meanwhile included, or the time is over. The deadline ends its calls. */
  #wait(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#option === 'await' ? undefined : setTimeout(resolve, this.#option as number)
      this.#onRemove = () => {
        // Whoever waited for a call may begin another one first.
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
    for (const call of this.#calls) this.#cut(call)
    if (this.#named.length === 0) return
    const list = this.#named.map(({ call: { service, method, path }, end }) => `${service} ${method} ${path} (${end})`)
    const calls = this.#named.map(({ call: { service, method, path }, end }) => ({ service, method, path, end }))
    this.#warn(`Calls were still pending when the handler ended: ${list.join(', ')}`, { calls })
  }

  #cut(call: ServiceCall): void {
    this.#calls.delete(call)
    this.#named.push({ call, end: 'aborted' })
    call.cut()
  }
}

function endOf({ failure }: ServiceCall): CallEnd {
  if (failure === undefined) return 'finished'
  return failure instanceof ServiceTimeoutError && failure.deadline ? 'aborted' : 'failed'
}

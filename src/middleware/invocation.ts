import { type Invocation, readTraceId, type ServiceFactory, type TracedContext } from '../client/index.ts'
import { PendingCalls } from './pending-calls.ts'

/** Members of a context that an invocation reads, in any of Middy's execution modes. */
export interface InvocationContext extends TracedContext {
  readonly getRemainingTimeInMillis?: () => number
  readonly lambdaContext?: { readonly getRemainingTimeInMillis?: () => number }
}

/** One run of a handler: its deadline, its trace and its calls. Nothing of it outlives it. */
export class HandlerInvocation implements Invocation {
  readonly pending: PendingCalls
  readonly remaining: (() => number) | undefined
  readonly #trace: string | undefined

  constructor(context: InvocationContext, { config, report }: ServiceFactory) {
    this.pending = new PendingCalls(config.pendingCalls, report.warn)
    this.remaining = readClock(context, config.deadlineMargin)
    // Now, because later the environment may hold another invocation's.
    this.#trace = config.trace ? readTraceId(context) : undefined
  }

  readTrace(): string | undefined {
    return this.#trace
  }
}

/** Milliseconds that are left for calls; the margin is kept back for the handler's own response. */
function readClock(context: InvocationContext, margin: number): (() => number) | undefined {
  const clock = context.getRemainingTimeInMillis === undefined ? context.lambdaContext : context
  if (!clock?.getRemainingTimeInMillis) return undefined
  return () => {
    try {
      const ms = Number(clock.getRemainingTimeInMillis?.()) - margin
      if (Number.isFinite(ms)) return ms
    } catch {
      // A mock may give or throw anything.
    }
    return Number.POSITIVE_INFINITY
  }
}

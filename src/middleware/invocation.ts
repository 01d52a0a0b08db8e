import { type Invocation, readTraceId, type ServiceFactory, type TracedContext } from '../client/index.ts'
import { PendingCalls } from './pending-calls.ts'

/** Members of a context that the middleware reads, in any of Middy's execution modes. */
export interface InvocationContext extends TracedContext {
  readonly getRemainingTimeInMillis?: () => number
  readonly lambdaContext?: { readonly getRemainingTimeInMillis?: () => number }
}

/** One invocation of a handler: its deadline, its trace and its calls. Later invocations share nothing of it. */
export interface HandlerInvocation extends Invocation {
  readonly pending: PendingCalls
}

export function createInvocation(context: InvocationContext, { config, report }: ServiceFactory): HandlerInvocation {
  // Read now: later the environment variable may contain the trace of another invocation.
  const trace = config.trace ? readTraceId(context) : undefined
  return {
    pending: new PendingCalls(config.pendingCalls, report.warn),
    remaining: readClock(context, config.deadlineMargin),
    readTrace: () => trace,
  }
}

/** Returns a function for the milliseconds left for calls. `margin` is reserved for the handler's response. */
function readClock(context: InvocationContext, margin: number): (() => number) | undefined {
  const clock = context.getRemainingTimeInMillis === undefined ? context.lambdaContext : context
  if (!clock?.getRemainingTimeInMillis) return undefined
  return () => {
    try {
      const ms = Number(clock.getRemainingTimeInMillis?.()) - margin
      if (Number.isFinite(ms)) return ms
    } catch {
      // A mock of the context may throw.
    }
    return Number.POSITIVE_INFINITY
  }
}

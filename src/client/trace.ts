/** What carries an invocation's trace: Lambda's context, or the one that a durable context wraps. */
export interface TracedContext {
  readonly xRayTraceId?: unknown
  readonly lambdaContext?: unknown
}

interface InvokeStoreGlobal {
  readonly awslambda?: { readonly InvokeStore?: { getXRayTraceId?: () => unknown } }
}

/** Header that carries the trace on; Lambda's variable has its very format. */
export const TRACE_HEADER = 'x-amzn-trace-id'

/**
 * The trace of the running invocation, as it is to be sent: from its context, else from the runtime's invoke store, else
 * from the environment. With several invocations in one process (Lambda Managed Instances) only the first two are set.
 *
 * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
 */
export function readTraceId(context?: TracedContext, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return (
    sendable(context?.xRayTraceId) ??
    sendable((context?.lambdaContext as TracedContext | undefined)?.xRayTraceId) ??
    sendable((globalThis as InvokeStoreGlobal).awslambda?.InvokeStore?.getXRayTraceId?.()) ??
    sendable(env._X_AMZN_TRACE_ID)
  )
}

/** Anything else would be refused as a header, or smuggle another one in. */
function sendable(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\x20-\x7e]+$/.test(value) ? value : undefined
}

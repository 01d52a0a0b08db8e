/** A context with an invocation's trace: Lambda's context, or a durable context that wraps it. */
export interface TracedContext {
  readonly xRayTraceId?: unknown
  readonly lambdaContext?: unknown
}

interface InvokeStoreGlobal {
  readonly awslambda?: { readonly InvokeStore?: { getXRayTraceId?: () => unknown } }
}

/** Header with the trace. Lambda's environment variable has the same format. */
export const TRACE_HEADER = 'x-amzn-trace-id'

/**
 * The trace of the current invocation: from its context, else from the runtime's invoke store, else from the
 * environment variable. With several invocations in one process (Lambda Managed Instances), only the first two are set.
 *
 * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
 */
export function readTraceId(context?: TracedContext, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return (
    validHeader(context?.xRayTraceId) ??
    validHeader((context?.lambdaContext as TracedContext | undefined)?.xRayTraceId) ??
    validHeader((globalThis as InvokeStoreGlobal).awslambda?.InvokeStore?.getXRayTraceId?.()) ??
    validHeader(env._X_AMZN_TRACE_ID)
  )
}

/** Drops a value that is no valid header, or that would inject another one. */
function validHeader(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\x20-\x7e]+$/.test(value) ? value : undefined
}

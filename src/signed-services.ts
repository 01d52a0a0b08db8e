import type { MiddlewareObj, Request as MiddyRequest } from '@middy/core'
import { getInternal } from '@middy/util'
import type { Context } from 'aws-lambda'
import type { Invocation } from './call.ts'
import type { InternalValues } from './config.ts'
import { createDeadline } from './deadline.ts'
import type { DefaultServices, ServicesOption, SignedServicesOptions } from './options.ts'
import { createPendingCalls, type PendingCalls } from './pending-calls.ts'
import { createServiceFactory, type Services } from './services.ts'
import { readTraceId, type TracedContext } from './trace.ts'

/**
 * The context of a handler with services, for handlers declared apart from their Middy chain:
 * `ServicesContext<'ai' | 'integration'>`.
 */
export type ServicesContext<S = DefaultServices> = Context & { readonly services: Services<S> }

/** What the middleware looks for on a context, in any of Middy's execution modes. */
interface AnyContext extends TracedContext {
  readonly getRemainingTimeInMillis?: () => number
  readonly lambdaContext?: { readonly getRemainingTimeInMillis?: () => number }
  services?: Record<string, unknown>
}

/**
 * Middy middleware that puts one signed client a service on `context.services`. Names already there are kept.
 * @throws TypeError for the first mistake in the options
 * @throws ServicesConfigurationError listing everything that is wrong with the environment, when the module loads
 */
export function signedServices<const S extends ServicesOption = DefaultServices>(
  options?: SignedServicesOptions<S>,
  // biome-ignore lint/suspicious/noExplicitAny: Middy's own word for a result that a middleware does not care about
): MiddlewareObj<unknown, any, Error, ServicesContext<S>> {
  const { config, bind, report } = createServiceFactory(options)
  const pendings = new WeakMap<object, PendingCalls>()

  const signedServicesBefore = (request: MiddyRequest<unknown, unknown, Error, ServicesContext<S>>) => {
    const context = request.context as AnyContext
    const invocation = beginInvocation(context)
    pendings.set(request, invocation.pending)
    // Without internal values there is nothing to await.
    if (config.internals.size === 0) return attach(request, context, bind(config.services, invocation))
    return readInternals(request).then((values) =>
      attach(request, context, bind(config.withInternals(values), invocation)),
    )
  }

  const signedServicesAfter = (request: { readonly response?: unknown }) =>
    pendings.get(request)?.finish({ hasFailed: false, isStreamed: isStream(request.response) })
  const signedServicesOnError = (request: object) =>
    pendings.get(request)?.finish({ hasFailed: true, isStreamed: false })

  return { before: signedServicesBefore, after: signedServicesAfter, onError: signedServicesOnError }

  function beginInvocation(context: AnyContext): Invocation & { readonly pending: PendingCalls } {
    const source = context.getRemainingTimeInMillis === undefined ? context.lambdaContext : context
    // Read now: later, the environment may hold another invocation's.
    const trace = config.trace ? readTraceId(context) : undefined
    const remaining = source?.getRemainingTimeInMillis
    const deadline = remaining && createDeadline(() => remaining.call(source), config.deadlineMargin)
    return { readTrace: () => trace, deadline, pending: createPendingCalls(config.pendingCalls, report.warn) }
  }

  async function readInternals(request: MiddyRequest): Promise<InternalValues> {
    const names = [...config.internals.keys()]
    // By keys of our own: Middy changes those of names that are not identifiers.
    const byKey = await getInternal(Object.fromEntries(names.map((name, index) => [`v${index}`, name])), request)
    return new Map(names.map((name, index) => [name, byKey[`v${index}`]]))
  }

  function attach(request: object, context: AnyContext, services: Record<string, unknown>): void {
    const given = context.services ?? Object.create(null)
    const descriptors = Object.getOwnPropertyDescriptors(services)
    // A context may be used again, as tests do: clients on it then belong to an invocation of the past.
    const isOfThePast = attached.has(given) && attached.get(given) !== request
    for (const name of Object.keys(descriptors)) {
      const own = Object.getOwnPropertyDescriptor(given, name)
      clientGetters.add(descriptors[name]?.get as object)
      if (own !== undefined && !(isOfThePast && own.get && clientGetters.has(own.get))) descriptors[name] = own
      // A mock may inherit it, or make it up when it is asked; either way, it keeps its own `this`.
      else if (own === undefined && given[name] !== undefined) {
        descriptors[name] = { get: () => given[name], enumerable: true, configurable: true }
      }
    }
    // A new object: mocks that several invocations share must not carry one's clients to another.
    const parent = attached.has(given) ? Object.getPrototypeOf(given) : given
    context.services = Object.create(parent, { ...Object.getOwnPropertyDescriptors(given), ...descriptors })
    attached.set(context.services as object, request)
  }
}

/** An answer that flows on after the handler: a stream, or one as its body. */
function isStream(response: unknown): boolean {
  const { body = response } = Object(response) as { body?: unknown }
  return body instanceof ReadableStream || typeof Object(body).pipe === 'function'
}

/** The objects that middlewares of this package have put on contexts, and the request that each belongs to. */
const attached = new WeakMap<object, object>()

/** Getters that make clients. */
const clientGetters = new WeakSet<object>()

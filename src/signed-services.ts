import type { MiddlewareObj, Request as MiddyRequest } from '@middy/core'
import type { Context } from 'aws-lambda'
import type { Invocation } from './client.ts'
import { createDeadline } from './deadline.ts'
import type { DefaultServices, ServicesOption, SignedServicesOptions } from './options.ts'
import { bindServices, createServiceFactory, type Services } from './services.ts'
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
  const factory = createServiceFactory(options)
  const { config } = factory
  const invocations = new WeakMap<object, Invocation>()
  /** Getters of this middleware: one on a context that is used again belongs to an invocation of the past. */
  const ownGetters = new WeakSet<object>()

  const signedServicesBefore = (request: MiddyRequest<unknown, unknown, Error, ServicesContext<S>>): void => {
    const context = request.context as AnyContext
    const invocation = beginInvocation(context)
    invocations.set(request, invocation)
    const given = context.services ?? {}
    const own = Object.getOwnPropertyDescriptors(bindServices(factory, invocation))
    const kept = Object.entries(Object.getOwnPropertyDescriptors(given)).filter(
      ([, { get }]) => get === undefined || !ownGetters.has(get),
    )
    for (const { get } of Object.values(own)) ownGetters.add(get as object)
    // A new object: mocks that several invocations share must not carry one's clients to another.
    context.services = Object.create(Object.getPrototypeOf(given), { ...own, ...Object.fromEntries(kept) })
  }

  const signedServicesAfter = (request: object): void => invocations.get(request)?.deadline?.stop()

  return { before: signedServicesBefore, after: signedServicesAfter, onError: signedServicesAfter }

  function beginInvocation(context: AnyContext): Invocation {
    const source = context.getRemainingTimeInMillis === undefined ? context.lambdaContext : context
    // Read now: later, the environment may hold another invocation's.
    const trace = config.trace ? readTraceId(context) : undefined
    const remaining = source?.getRemainingTimeInMillis
    return {
      readTrace: () => trace,
      deadline: remaining && createDeadline(() => remaining.call(source), config.deadlineMargin),
    }
  }
}

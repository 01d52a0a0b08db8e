import type { MiddlewareObj, Request as MiddyRequest } from '@middy/core'
import { getInternal } from '@middy/util'
import type { Context } from 'aws-lambda'
import {
  createServiceFactory,
  type ServiceFactory,
  type ServiceNames,
  type Services,
} from '../client/create-services.ts'
import type { Invocation } from '../client/service-call.ts'
import { readTraceId, type TracedContext } from '../client/trace.ts'
import type { DefaultServices, ServicesOption, SignedServicesOptions } from '../config/options.ts'
import type { InternalValues, ServiceConfigs } from '../config/resolve-config.ts'
import { createDeadline, type Deadline } from './deadline.ts'
import { addServices } from './lazy-services.ts'
import { createPendingCalls, type PendingCalls } from './pending-calls.ts'

/**
 * The context of a handler with services, for handlers declared apart from their Middy chain:
 * `ServicesContext<'ai' | 'integration'>`.
 */
export type ServicesContext<S = DefaultServices> = Context & {
  /** One signed client a service, each made when it is first touched. */
  readonly services: Services<S>
}

/** What the middleware looks for on a context, in any of Middy's execution modes. */
interface AnyContext extends TracedContext {
  readonly getRemainingTimeInMillis?: () => number
  readonly lambdaContext?: { readonly getRemainingTimeInMillis?: () => number }
  services?: object
}

/**
 * Middy middleware that puts one signed client a service on `context.services`. Names already there are kept.
 * @param options Where the services are and how they are called; all have defaults.
 * @throws TypeError for the first mistake in the options
 * @throws ServicesConfigurationError listing everything that is wrong with the environment, when the module loads
 */
export function signedServices<const S extends ServicesOption = DefaultServices>(
  options?: SignedServicesOptions<S>,
  // biome-ignore lint/suspicious/noExplicitAny: Middy's own word for a result that a middleware does not care about
): MiddlewareObj<unknown, any, Error, ServicesContext<ServiceNames<S>>> {
  const factory = createServiceFactory(options)
  const { config } = factory
  // Of this middleware alone: a chain may have another one.
  const slot = Symbol('signedServices')

  const signedServicesBefore = (request: MiddyRequest<unknown, unknown, Error, ServicesContext<ServiceNames<S>>>) => {
    const invocation = new MiddyInvocation(request, factory)
    ;(request as object as Slotted)[slot] = invocation
    // Without internal values there is nothing to await.
    if (config.internals.size === 0) return attach(invocation, config.services)
    return readInternals(request).then((values) => attach(invocation, config.withInternals(values)))
  }

  const signedServicesAfter = (request: object) => (request as Slotted)[slot]?.handlerEnded(false)
  const signedServicesOnError = (request: object) => (request as Slotted)[slot]?.handlerEnded(true)

  return { before: signedServicesBefore, after: signedServicesAfter, onError: signedServicesOnError }

  function attach(invocation: MiddyInvocation, services: ServiceConfigs): void {
    const { request } = invocation
    request.context.services = addServices(request.context.services, request, factory.bind(services, invocation))
  }

  async function readInternals(request: MiddyRequest): Promise<InternalValues> {
    const names = [...config.internals.keys()]
    // By keys of our own: Middy changes those of names that are not identifiers.
    const byKey = await getInternal(Object.fromEntries(names.map((name, index) => [`v${index}`, name])), request)
    return new Map(names.map((name, index) => [name, byKey[`v${index}`]]))
  }
}

/** Where a middleware finds its invocation again; there is none where another one answered before. */
type Slotted = Record<symbol, MiddyInvocation | undefined>

interface AnyRequest {
  readonly context: AnyContext
  readonly response?: unknown
}

/** What its calls need is made with the first of them: an invocation pays for nothing else. */
class MiddyInvocation implements Invocation {
  readonly request: AnyRequest
  readonly #factory: ServiceFactory
  readonly #trace: string | undefined
  #deadline: Deadline | undefined
  #pending: PendingCalls | undefined
  /** Whether the handler has; undefined until it has ended. */
  #hasFailed: boolean | undefined

  constructor(request: object, factory: ServiceFactory) {
    this.request = request as AnyRequest
    this.#factory = factory
    // Now: later, the environment may hold another invocation's.
    this.#trace = factory.config.trace ? readTraceId(this.request.context) : undefined
  }

  readTrace(): string | undefined {
    return this.#trace
  }

  get deadline(): Deadline | undefined {
    if (this.#deadline === undefined) {
      const { context } = this.request
      const clock = context.getRemainingTimeInMillis === undefined ? context.lambdaContext : context
      const remaining = clock?.getRemainingTimeInMillis
      if (remaining) this.#deadline = createDeadline(() => remaining.call(clock), this.#factory.config.deadlineMargin)
    }
    return this.#deadline
  }

  get pending(): PendingCalls {
    if (this.#pending === undefined) {
      const { config, report } = this.#factory
      this.#pending = createPendingCalls(config.pendingCalls, report.warn)
      if (this.#hasFailed !== undefined) this.handlerEnded(this.#hasFailed)
    }
    return this.#pending
  }

  handlerEnded(hasFailed: boolean): Promise<void> | undefined {
    this.#hasFailed = hasFailed
    return this.#pending?.finish({ hasFailed, isStreamed: !hasFailed && isStream(this.request.response) })
  }
}

/** An answer that flows on after the handler: a stream, or one as its body. */
function isStream(response: unknown): boolean {
  const { body = response } = Object(response) as { body?: unknown }
  return body instanceof ReadableStream || typeof Object(body).pipe === 'function'
}

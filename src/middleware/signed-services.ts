import type { MiddlewareObj, Request as MiddyRequest } from '@middy/core'
import { getInternal } from '@middy/util'
import type { Context } from 'aws-lambda'
import { createServiceFactory, type ServiceClient, type ServiceNames, type Services } from '../client/index.ts'
import type {
  DefaultServices,
  InternalValues,
  ServiceConfigs,
  ServicesOption,
  SignedServicesOptions,
} from '../config/index.ts'
import { HandlerInvocation, type InvocationContext } from './invocation.ts'

/**
 * The context of a handler with services, for handlers declared apart from their Middy chain:
 * `ServicesContext<'ai' | 'integration'>`.
 */
export type ServicesContext<S = DefaultServices> = Context & {
  /** One signed client a service. */
  readonly services: Services<S>
}

interface ServedContext extends InvocationContext {
  services?: object
}

/** Members of Middy's request, the same object for all hooks of an invocation. */
interface ServedRequest {
  readonly context: ServedContext
  readonly response?: unknown
}

/** The clients that stand in a context's services, and the request that they were made for. */
interface Made {
  readonly request: object
  readonly clients: Readonly<Record<string, ServiceClient>>
}

/**
 * Where services keep what was made for them: a context that is used again still carries the clients of an earlier request.
 * A WeakMap beside the services would cost 6 us an invocation.
 */
const MADE = Symbol('made')

/**
 * Middy middleware that puts one signed client a service on `context.services`. Names already there are kept.
 * @param options Where the services are and how they are called; all have defaults.
 * @throws ServicesConfigurationError listing every mistake in the options and every problem of the environment, when the module
 * loads
 */
export function signedServices<const S extends ServicesOption = DefaultServices>(
  options?: SignedServicesOptions<S>,
  // biome-ignore lint/suspicious/noExplicitAny: Middy's own word for a result that a middleware does not care about
): MiddlewareObj<unknown, any, Error, ServicesContext<ServiceNames<S>>> {
  const factory = createServiceFactory(options)
  const { config } = factory
  // Where an invocation is found again on Middy's request. A chain may have several of these middlewares.
  const key = Symbol('signedServices')

  const signedServicesBefore = (request: MiddyRequest<unknown, unknown, Error, ServicesContext<ServiceNames<S>>>) => {
    const invocation = new HandlerInvocation(request.context, factory)
    Object.assign(request, { [key]: invocation })
    // Without internal values there is nothing to await.
    if (config.internals.size === 0) return attach(request, invocation, config.services)
    return readInternals(request).then((values) => attach(request, invocation, config.withInternals(values)))
  }
  const signedServicesAfter = (request: ServedRequest) =>
    invocationOf(request)?.pending.finish(isStream(request.response))
  const signedServicesOnError = (request: ServedRequest) => invocationOf(request)?.pending.finish(false)

  return { before: signedServicesBefore, after: signedServicesAfter, onError: signedServicesOnError }

  /** Undefined where another middleware has answered before. */
  function invocationOf(request: ServedRequest): HandlerInvocation | undefined {
    return Reflect.get(request, key)
  }

  function attach(request: ServedRequest, invocation: HandlerInvocation, services: ServiceConfigs): void {
    const clients = factory.createClients(services, invocation)
    request.context.services = mergeServices(request.context.services, { request, clients })
  }

  async function readInternals(request: MiddyRequest): Promise<InternalValues> {
    const names = [...config.internals.keys()]
    // By keys of our own: Middy changes names that are not identifiers.
    const byKey = await getInternal(Object.fromEntries(names.map((name, index) => [`v${index}`, name])), request)
    return new Map(names.map((name, index) => [name, byKey[`v${index}`]]))
  }
}

/** What a context has already is kept, mocks for instance, but for clients of another request. */
function mergeServices(given: object | undefined, { request, clients }: Made): object {
  // Its own only: a mock may make up a value for every name.
  const before: Made | undefined = given && Object.getOwnPropertyDescriptor(given, MADE)?.value
  const services: Record<string, unknown> = { ...clients }
  const made: Record<string, ServiceClient> = { ...clients }
  // The names of clients as well, because the given object may inherit them, or make them up when it is asked.
  for (const name of new Set([...Object.keys(given ?? {}), ...Object.keys(clients)])) {
    const value: unknown = given && Reflect.get(given, name)
    const client = before?.clients[name]
    const isClient = client !== undefined && client === value
    if (value === undefined || (isClient && before?.request !== request)) continue
    services[name] = value
    if (isClient) made[name] = client
  }
  return Object.defineProperty(services, MADE, { value: { request, clients: made } satisfies Made })
}

/** A response that flows on after the handler: a stream, or one as its body. */
function isStream(response: unknown): boolean {
  const { body = response } = Object(response) as { body?: unknown }
  return body instanceof ReadableStream || typeof Object(body).pipe === 'function'
}

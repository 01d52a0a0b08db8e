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
  /** One signed client a service, each made when it is first touched. */
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

/** The request that each client was made for: a context that is used again still carries the clients of another one. */
const requestOf = new WeakMap<object, object>()

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
  const invocations = new WeakMap<object, HandlerInvocation>()

  const signedServicesBefore = (request: MiddyRequest<unknown, unknown, Error, ServicesContext<ServiceNames<S>>>) => {
    const invocation = new HandlerInvocation(request.context, factory)
    invocations.set(request, invocation)
    // Without internal values there is nothing to await.
    if (config.internals.size === 0) return attach(request, invocation, config.services)
    return readInternals(request).then((values) => attach(request, invocation, config.withInternals(values)))
  }
  const signedServicesAfter = (request: ServedRequest) =>
    invocations.get(request)?.pending.finish(isStream(request.response))
  const signedServicesOnError = (request: ServedRequest) => invocations.get(request)?.pending.finish(false)

  return { before: signedServicesBefore, after: signedServicesAfter, onError: signedServicesOnError }

  function attach(request: ServedRequest, invocation: HandlerInvocation, services: ServiceConfigs): void {
    const clients = factory.createClients(services, invocation)
    for (const client of Object.values(clients)) requestOf.set(client, request)
    request.context.services = mergeServices(request.context.services, clients, request)
  }

  async function readInternals(request: MiddyRequest): Promise<InternalValues> {
    const names = [...config.internals.keys()]
    // By keys of our own: Middy changes names that are not identifiers.
    const byKey = await getInternal(Object.fromEntries(names.map((name, index) => [`v${index}`, name])), request)
    return new Map(names.map((name, index) => [name, byKey[`v${index}`]]))
  }
}

/** What a context has already is kept, mocks for instance, but for clients of another request. */
function mergeServices(
  given: object | undefined,
  clients: Readonly<Record<string, ServiceClient>>,
  request: object,
): object {
  if (given === undefined) return clients
  const isKept = (value: unknown) => value !== undefined && (requestOf.get(value as object) ?? request) === request
  const kept = Object.entries(given).filter(([, value]) => isKept(value))
  const services: Record<string, unknown> = { ...clients, ...Object.fromEntries(kept) }
  // Members that the given object inherits, or makes up when it is asked.
  for (const name of Object.keys(clients)) {
    const value: unknown = Reflect.get(given, name)
    if (isKept(value)) services[name] = value
  }
  return services
}

/** A response that flows on after the handler: a stream, or one as its body. */
function isStream(response: unknown): boolean {
  const { body = response } = Object(response) as { body?: unknown }
  return body instanceof ReadableStream || typeof Object(body).pipe === 'function'
}

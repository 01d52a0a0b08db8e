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
import { createInvocation, type HandlerInvocation, type InvocationContext } from './invocation.ts'

/**
 * Context of a handler with services. Use it for a handler that is declared outside its Middy chain:
 * `ServicesContext<'ai' | 'integration'>`.
 */
export type ServicesContext<S = DefaultServices> = Context & {
  /** One signed client for each service. */
  readonly services: Services<S>
}

interface ServedContext extends InvocationContext {
  services?: object
}

/** Members of Middy's request. All hooks of an invocation get the same object. */
interface ServedRequest {
  readonly context: ServedContext
  readonly response?: unknown
}

/** The clients that the middleware created for a Middy request. */
interface Made {
  readonly request: object
  readonly clients: Readonly<Record<string, ServiceClient | undefined>>
}

/**
 * Key of `Made` on `context.services`: a reused context still has the clients of an earlier request. A WeakMap instead
 * would cost 6 us for each invocation.
 */
const MADE = Symbol('made')

/**
 * Creates a Middy middleware that sets one signed client for each service on `context.services`. It keeps names that
 * are already set.
 * @param options The services, and how to call them. All options have defaults.
 * @throws ServicesConfigurationError listing every mistake in the options and in the environment variables
 */
export function signedServices<const S extends ServicesOption = DefaultServices>(
  options?: SignedServicesOptions<S>,
  // biome-ignore lint/suspicious/noExplicitAny: Middy uses `any` for a result that a middleware ignores
): MiddlewareObj<unknown, any, Error, ServicesContext<ServiceNames<S>>> {
  const factory = createServiceFactory(options)
  const { config } = factory
  // Key of the invocation on Middy's request. A symbol for each factory, because a chain may have several of them.
  const key = Symbol('signedServices')

  const signedServicesBefore = (request: MiddyRequest<unknown, unknown, Error, ServicesContext<ServiceNames<S>>>) => {
    const invocation = createInvocation(request.context, factory)
    Object.assign(request, { [key]: invocation })
    // Without internal values, the hook is synchronous.
    if (config.internals.size === 0) return attach(request, invocation, config.services)
    return readInternals(request).then((values) => attach(request, invocation, config.withInternals(values)))
  }
  const signedServicesAfter = (request: ServedRequest) =>
    invocationOf(request)?.pending.finish(isStream(request.response))
  const signedServicesOnError = (request: ServedRequest) => invocationOf(request)?.pending.finish(false)

  return { before: signedServicesBefore, after: signedServicesAfter, onError: signedServicesOnError }

  /** Undefined if another middleware ended the request before this one's `before` hook. */
  function invocationOf(request: ServedRequest): HandlerInvocation | undefined {
    return Reflect.get(request, key)
  }

  function attach(request: ServedRequest, invocation: HandlerInvocation, services: ServiceConfigs): void {
    const clients = factory.createClients(services, invocation)
    request.context.services = mergeServices(request.context.services, { request, clients })
  }

  async function readInternals(request: MiddyRequest): Promise<InternalValues> {
    const names = [...config.internals.keys()]
    // Own keys, because Middy changes names that are not identifiers.
    const byKey = await getInternal(Object.fromEntries(names.map((name, index) => [`v${index}`, name])), request)
    return new Map(names.map((name, index) => [name, byKey[`v${index}`]]))
  }
}

/** Keeps services that the context already has, such as mocks, but not clients of another request. */
function mergeServices(given: object | undefined, { request, clients }: Made): object {
  // Own properties only: a mock may return a value for every name.
  const before: Made | undefined = given && Object.getOwnPropertyDescriptor(given, MADE)?.value
  const services: Record<string, unknown> = { ...clients }
  const made: Record<string, ServiceClient | undefined> = { ...clients }
  // Also the names of the clients: the given object may inherit them, or return a value for every name.
  for (const name of new Set([...Object.keys(given ?? {}), ...Object.keys(clients)])) {
    const value: unknown = given && Reflect.get(given, name)
    const client = before?.clients[name]
    if (value === undefined || (value === client && before?.request !== request)) continue
    services[name] = value
    made[name] = client
  }
  return Object.defineProperty(services, MADE, { value: { request, clients: made } satisfies Made })
}

/** Whether the handler's response or its body is a stream, which is sent after the handler has ended. */
function isStream(response: unknown): boolean {
  const { body = response } = Object(response) as { body?: unknown }
  return body instanceof ReadableStream || typeof Object(body).pipe === 'function'
}

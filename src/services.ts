import { createClient, type Invocation, type ServiceClient } from './client.ts'
import { type Config, resolveConfig } from './config.ts'
import type { DefaultServices, ServicesOption, SignedServicesOptions } from './options.ts'
import { createSendSigned } from './signed-fetch.ts'
import { readTraceId } from './trace.ts'

/** The names in a list of services, in an object of them, or in a union of names. */
export type ServiceNames<S> = S extends readonly (infer Name extends string)[]
  ? Name
  : S extends string
    ? S
    : keyof S & string

/** One client a service. */
export type Services<S = DefaultServices> = { readonly [Name in ServiceNames<S>]: ServiceClient }

/** What the invocations of one factory share: configuration, signers and, by name, what makes a fresh client. */
export interface ServiceFactory {
  readonly config: Config
  readonly clients: ReadonlyMap<string, (invocation: Invocation) => ServiceClient>
}

/**
 * Signed clients outside Middy: no invocation's deadline bounds them, and each call carries the trace of its moment.
 * @throws TypeError for the first mistake in the options
 * @throws ServicesConfigurationError listing everything that is wrong with the environment
 */
export function createServices<const S extends ServicesOption = DefaultServices>(
  options?: SignedServicesOptions<S>,
): Services<S> {
  const factory = createServiceFactory(options)
  const readTrace = () => (factory.config.trace ? readTraceId() : undefined)
  return bindServices(factory, { readTrace }) as Services<S>
}

/** Everything that can be done once: checking options and environment, preparing the signers. */
export function createServiceFactory(options?: SignedServicesOptions): ServiceFactory {
  const config = resolveConfig(options)
  const clients = new Map<string, (invocation: Invocation) => ServiceClient>()
  for (const [name, service] of config.services) {
    const send = createSendSigned(service)
    clients.set(name, (invocation) => createClient(service, send, invocation))
  }
  return { config, clients }
}

/** The services of one invocation: clients are made when first touched. */
export function bindServices(factory: ServiceFactory, invocation: Invocation): Record<string, ServiceClient> {
  const services = {}
  for (const [name, create] of factory.clients) {
    let client: ServiceClient | undefined
    const get = () => {
      client ??= create(invocation)
      return client
    }
    Object.defineProperty(services, name, { get, enumerable: true, configurable: true })
  }
  return services
}

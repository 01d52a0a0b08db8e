import {
  type Config,
  type DefaultServices,
  resolveConfig,
  type ServiceConfig,
  type ServiceConfigs,
  type ServicesOption,
  type SignedServicesOptions,
} from '../config/index.ts'
import { ServicesConfigurationError } from '../errors/index.ts'
import { createClockSkew, createSendSigned } from '../signing/index.ts'
import { createReporter, type Reporter } from './call-log.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { createRetryBudget, type RetryBudget } from './retry-budget.ts'
import type { Invocation, ServiceState } from './service-call.ts'
import { type ClientMaker, createClientMaker, type ServiceClient } from './service-client.ts'
import { readTraceId } from './trace.ts'

/** The names in a list of services, in an object of them, or in a union of names. */
export type ServiceNames<S> = S extends readonly (infer Name extends string)[]
  ? Name
  : S extends string
    ? S
    : keyof S & string

/** One client for each service: `Services<'ai' | 'integration'>`. */
export type Services<S = DefaultServices> = { readonly [Name in ServiceNames<S>]: ServiceClient }

/**
 * Shared by the invocations of one factory: configuration, credentials, circuit breakers, retry budgets and clock skew.
 */
export interface ServiceFactory {
  readonly config: Config
  readonly report: Reporter
  /** Creates the clients of one invocation. */
  readonly createClients: (services: ServiceConfigs, invocation: Invocation) => Record<string, ServiceClient>
}

/**
 * Creates signed clients for use outside Middy. No deadline of an invocation limits their calls. Each call sends the
 * trace that is current when it starts.
 * @param options The options of `signedServices`, without Middy's internal values.
 * @throws ServicesConfigurationError listing every mistake in the options and in the environment variables
 */
export function createServices<const S extends ServicesOption = DefaultServices>(
  options?: SignedServicesOptions<S>,
): Services<ServiceNames<S>> {
  return bindServices(createServiceFactory(options, 'createServices')) as Services<ServiceNames<S>>
}

/** Creates clients outside an invocation. */
export function bindServices({ config, createClients }: ServiceFactory): Record<string, ServiceClient> {
  for (const path of config.internals.values()) {
    throw new ServicesConfigurationError([`${path}: names a Middy internal value, which only signedServices can read`])
  }
  return createClients(config.services, { readTrace: () => (config.trace ? readTraceId() : undefined) })
}

/** Does the work that is needed only once: checks options and environment variables, and creates the shared state. */
export function createServiceFactory(
  options?: SignedServicesOptions,
  factory = 'signedServices',
  createBudget: (limit?: number) => RetryBudget = createRetryBudget,
): ServiceFactory {
  const config = resolveConfig(options, factory)
  const report = createReporter(config.logger, config.onCall)
  const clock = createClockSkew()
  // By name, so that they survive a new configuration when Middy's internal values change.
  const lasting = new Map(
    [...config.services].map(([name, { circuitBreaker, retry }]) => [
      name,
      {
        retryBudget: createBudget(retry?.limit),
        breaker: circuitBreaker ? new CircuitBreaker(circuitBreaker) : undefined,
      },
    ]),
  )
  const makers = new WeakMap<ServiceConfig, ClientMaker>()
  const makerOf = (service: ServiceConfig): ClientMaker => {
    let maker = makers.get(service)
    if (maker === undefined) {
      const { retryBudget, breaker } = lasting.get(service.name) as Pick<ServiceState, 'retryBudget' | 'breaker'>
      const sendSigned = createSendSigned({ ...service, clock })
      maker = createClientMaker(service, { retryBudget, breaker, report, sendSigned })
      makers.set(service, maker)
    }
    return maker
  }
  return {
    config,
    report,
    createClients: (services, invocation) =>
      Object.fromEntries([...services.values()].map((service) => [service.name, makerOf(service)(invocation)])),
  }
}

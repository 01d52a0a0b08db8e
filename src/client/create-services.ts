import type { DefaultServices, ServicesOption, SignedServicesOptions } from '../config/options.ts'
import { type Config, resolveConfig, type ServiceConfig, type ServiceConfigs } from '../config/resolve-config.ts'
import { addServices, type ClientSource } from '../middleware/lazy-services.ts'
import { createClock } from '../signing/clock-skew.ts'
import { createSendSigned } from '../signing/signed-fetch.ts'
import { createCatchUp } from '../transport/freeze-guard.ts'
import { createReporter, type Reporter } from './call-log.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { createRetryQuota, type RetryQuota } from './retry-budget.ts'
import type { Invocation, ServiceRuntime } from './service-call.ts'
import { type ClientMaker, createClientMaker, type ServiceClient } from './service-client.ts'
import { readTraceId } from './trace.ts'

/** The names in a list of services, in an object of them, or in a union of names. */
export type ServiceNames<S> = S extends readonly (infer Name extends string)[]
  ? Name
  : S extends string
    ? S
    : keyof S & string

/** One client a service: `Services<'ai' | 'integration'>`. */
export type Services<S = DefaultServices> = { readonly [Name in ServiceNames<S>]: ServiceClient }

/** What the invocations of one factory share: configuration, signers, the clock, the pauses between requests. */
export interface ServiceFactory {
  readonly config: Config
  readonly report: Reporter
  /** The clients of one invocation, in the configuration that it found. */
  readonly bind: (services: ServiceConfigs, invocation: Invocation) => ClientSource
}

/**
 * Signed clients outside Middy: no invocation's deadline bounds them, and each call carries the trace of its moment.
 * @param options As for `signedServices`, without Middy's internal values.
 * @throws TypeError for the first mistake in the options
 * @throws ServicesConfigurationError listing everything that is wrong with the environment
 */
export function createServices<const S extends ServicesOption = DefaultServices>(
  options?: SignedServicesOptions<S>,
): Services<ServiceNames<S>> {
  return bindServices(createServiceFactory(options)) as Services<ServiceNames<S>>
}

/** The services of no invocation. */
export function bindServices({ config, bind }: ServiceFactory): Record<string, ServiceClient> {
  for (const path of config.internals.values()) {
    throw new TypeError(`Option '${path}' names a Middy internal value, which only signedServices has`)
  }
  const invocation = { readTrace: () => (config.trace ? readTraceId() : undefined) }
  const source = bind(config.services, invocation)
  return addServices(undefined, source, source) as Record<string, ServiceClient>
}

/** Everything that can be done once: checking options and environment, preparing what invocations share. */
export function createServiceFactory(
  options?: SignedServicesOptions,
  createQuota: () => RetryQuota = createRetryQuota,
): ServiceFactory {
  const config = resolveConfig(options)
  const report = createReporter(config.logger, config.onCall)
  const clock = createClock()
  const catchUp = createCatchUp()
  // By service, so that they outlive a configuration that changes with Middy's internal values.
  const shared = new Map<string, Pick<ServiceRuntime, 'quota' | 'breaker'>>()
  const makers = new WeakMap<ServiceConfig, ClientMaker>()
  for (const [name, { circuitBreaker }] of config.services) {
    shared.set(name, {
      quota: createQuota(),
      breaker: circuitBreaker ? new CircuitBreaker(circuitBreaker) : undefined,
    })
  }
  const makerOf = (service: ServiceConfig): ClientMaker => {
    let maker = makers.get(service)
    if (maker === undefined) {
      const lasting = shared.get(service.name) as Pick<ServiceRuntime, 'quota' | 'breaker'>
      maker = createClientMaker(service, { ...lasting, report, send: createSendSigned({ ...service, clock, catchUp }) })
      makers.set(service, maker)
    }
    return maker
  }
  return {
    config,
    report,
    bind: (services, invocation) => ({
      services,
      create: (name) => makerOf(services.get(name) as ServiceConfig)(invocation),
    }),
  }
}

export { createReporter, type Reporter } from './call-log.ts'
export { CircuitBreaker, outcomeOf } from './circuit-breaker.ts'
export {
  bindServices,
  createServiceFactory,
  createServices,
  type ServiceFactory,
  type ServiceNames,
  type Services,
} from './create-services.ts'
export { createRetryBudget, type RetryBudget } from './retry-budget.ts'
export { STATUS_CODES } from './retry-policy.ts'
export type { Invocation, PendingCallRegistry, ServiceCall } from './service-call.ts'
export { type CallMethod, type CallOptions, createClientMaker, type ServiceClient } from './service-client.ts'
export { readTraceId, type TracedContext } from './trace.ts'

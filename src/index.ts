export type { CallRecord, LogDetails, ServicesLogger } from './call-report.ts'
export type { CircuitBreakerOptions } from './circuit-breaker.ts'
export type { CallMethod, CallOptions, ServiceClient } from './client.ts'
export type { AwsCredentialIdentity, AwsCredentialProvider } from './credentials.ts'
export {
  type AuthReason,
  CircuitOpenError,
  ServiceAuthError,
  ServiceError,
  ServiceNetworkError,
  ServiceRequestError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceThrottledError,
  ServiceTimeoutError,
} from './errors.ts'
export type { ServiceOptions, ServicesOption, SignedServicesOptions } from './options.ts'
export { signedServicesValidateOptions } from './options.ts'
export { createServices, type Services } from './services.ts'
export { createSignedFetch, type SignedFetchOptions } from './signed-fetch.ts'
export { type ServicesContext, signedServices, signedServices as default } from './signed-services.ts'

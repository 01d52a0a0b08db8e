export type { CallRecord, LogDetails, ServicesLogger } from './client/call-log.ts'
export type { CircuitBreakerOptions } from './client/circuit-breaker.ts'
export { createServices, type Services } from './client/create-services.ts'
export type { CallMethod, CallOptions, ServiceClient } from './client/service-client.ts'
export type { ServiceOptions, ServicesOption, SignedServicesOptions } from './config/options.ts'
export { signedServicesValidateOptions } from './config/options.ts'
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
} from './errors/service-errors.ts'
export { type ServicesContext, signedServices, signedServices as default } from './middleware/signed-services.ts'
export type { AwsCredentialIdentity, AwsCredentialProvider } from './signing/credentials.ts'
export { createSignedFetch, type SignedFetchOptions } from './signing/signed-fetch.ts'

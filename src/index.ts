export type { CallMethod, CallOptions, ServiceClient, Services } from './client/index.ts'
export { createServices } from './client/index.ts'
export type {
  CallRecord,
  CircuitBreakerOptions,
  LogDetails,
  ServiceOptions,
  ServicesLogger,
  ServicesOption,
  SignedServicesOptions,
} from './config/index.ts'
export { signedServicesValidateOptions } from './config/index.ts'
export {
  type AuthReason,
  CircuitOpenError,
  ServiceAuthError,
  ServiceError,
  type ServiceErrorCode,
  ServiceNetworkError,
  ServiceRequestError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceThrottledError,
  ServiceTimeoutError,
} from './errors/index.ts'
export { type ServicesContext, signedServices, signedServices as default } from './middleware/index.ts'
export {
  type AwsCredentialIdentity,
  type AwsCredentialProvider,
  createSignedFetch,
  type SignedFetchOptions,
} from './signing/index.ts'

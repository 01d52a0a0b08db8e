export type { BaseUrl } from './base-url.ts'
export * from './options.ts'
export {
  type Config,
  type InternalValues,
  resolveConfig,
  type ServiceConfig,
  type ServiceConfigs,
  signedServicesValidateOptions,
} from './resolve-config.ts'
export { toVariable } from './service-variable.ts'

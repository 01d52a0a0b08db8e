export { type ServicesContext, signedServices } from './signed-services.ts'

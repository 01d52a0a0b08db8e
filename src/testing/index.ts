export type { Fault, FaultName } from './faults.ts'
export { type GatewayRequest, type LocalGateway, type LocalGatewayOptions, startLocalGateway } from './local-gateway.ts'
export { mockEnv } from './mock-env.ts'
export { type MockCall, type MockClient, type MockServices, mockServices } from './mock-services.ts'
export {
  type Failure,
  fail,
  type Reply,
  type RouteAnswer,
  type RouteRequest,
  type Routes,
  reply,
  type ServiceRoutes,
} from './routes.ts'
export { type ReceivedRequest, type SignatureVerdict, type VerifyOptions, verifySignature } from './verify-signature.ts'

export type { Fault, FaultName } from './faults.ts'
export { type GatewayRequest, type LocalGateway, type LocalGatewayOptions, startLocalGateway } from './local-gateway.ts'
export { type Reply, type RouteAnswer, type RouteRequest, type Routes, reply } from './routes.ts'
export { type ReceivedRequest, type SignatureVerdict, type VerifyOptions, verifySignature } from './verify-signature.ts'

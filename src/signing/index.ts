export { createStringToSign } from './canonical-request.ts'
export { createClockSkew } from './clock-skew.ts'
export {
  type AwsCredentialIdentity,
  type AwsCredentialProvider,
  type CredentialSource,
  checkIdentity,
  createCredentialSource,
  isIdentity,
} from './credentials.ts'
export { fromRequest, type PlainBody, readRequest, toPlainBody, type UnsignedRequest } from './request-body.ts'
export { CONNECTION_HEADERS } from './request-headers.ts'
export { createSendSigned, type SendSigned, type SignedCall } from './send-signed.ts'
export { findKind, isRegion, regionCheck, resolveEndpoint, signingNameCheck } from './service-table.ts'
export { createSignedFetch, type SignedFetchOptions } from './signed-fetch.ts'
export { isSigned } from './signer.ts'
export { encodePath } from './wire-url.ts'

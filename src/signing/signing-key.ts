import { createHash, createHmac, createSecretKey, type Hash, type Hmac, type KeyObject } from 'node:crypto'
import { getSigningKey } from '@aws-sdk/signature-v4'
import type { AwsCredentialIdentity } from './credentials.ts'

/** Scope of a signing key: one day, one region and one service. */
export interface SigningKeyScope {
  /** `YYYYMMDD` */
  readonly shortDate: string
  readonly region: string
  /** Signing name of the AWS service. */
  readonly service: string
}

/**
 * Derives the signing key of Signature Version 4.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export async function deriveSigningKey(
  identity: AwsCredentialIdentity,
  { shortDate, region, service }: SigningKeyScope,
): Promise<KeyObject> {
  return createSecretKey(await getSigningKey(Sha256, identity, shortDate, region, service))
}

/** Node.js's SHA-256 and HMAC with the interface that `getSigningKey` requires. */
export class Sha256 {
  readonly #hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    // The SDK's type also allows an ArrayBuffer, but the SDK passes only texts and bytes.
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string | Uint8Array)
  }

  update(data: Uint8Array): void {
    this.#hash.update(data)
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }
}

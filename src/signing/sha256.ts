import type { Hash, Hmac, KeyObject } from 'node:crypto'
import { crypto } from '../transport/node.ts'

/** Hex digest of a text (as UTF-8) or of bytes. */
export function sha256Hex(data: string | Uint8Array): string {
  return crypto.hash('sha256', data, 'hex')
}

/** Hex HMAC of a text. */
export function hmacHex(key: KeyObject, text: string): string {
  return crypto.createHmac('sha256', key).update(text).digest('hex')
}

/** Node's own SHA-256 and HMAC in the shape that `getSigningKey` of the AWS SDK takes. */
export class Sha256 {
  readonly #hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    // The SDK's type allows an ArrayBuffer too; its keys are texts and bytes.
    this.#hash =
      secret === undefined ? crypto.createHash('sha256') : crypto.createHmac('sha256', secret as string | Uint8Array)
  }

  update(data: Uint8Array): void {
    this.#hash.update(data)
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }
}

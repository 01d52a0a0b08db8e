import { createHmac, hash, type KeyObject } from 'node:crypto'

/** Hex digest of a text (as UTF-8) or of bytes. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex')
}

/** Hex HMAC of a text. */
export function hmacHex(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex')
}

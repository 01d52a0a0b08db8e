import type { ServiceRequestError } from '../errors/index.ts'
import { isSigned } from './signer.ts'
import type { WireUrl } from './wire-url.ts'

/** Creates the error for a request that must not be sent. */
export type Refuse = (problem: string, details?: { cause: unknown }) => ServiceRequestError

/**
 * Headers of the caller that are dropped, because they are set again: a forwarded length may belong to another body.
 */
const NOT_SENT: ReadonlySet<string> = new Set(['connection', 'content-length', 'host', 'x-amz-security-token'])

/** Headers that control the connection. `fetch` rejects them, too. */
export const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The caller's headers in the form that is both sent and signed, without those that signing sets. */
export function collectHeaders(given: Headers, url: WireUrl, refuse: Refuse): Record<string, string> {
  if (given.has('authorization')) throw refuse("the header 'authorization' must not be set: signing sets it")
  const host = given.get('host')
  if (host !== null && host !== url.host) {
    throw refuse(
      `the header 'host' must be the URL's host ${url.host}; for a VPC endpoint, set the header 'x-apigw-api-id'`,
    )
  }
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of given) {
    if (NOT_SENT.has(name)) continue
    if (CONNECTION_HEADERS.has(name)) throw refuse(`the header '${name}' must not be set: it controls the connection`)
    if (isSigned(name) && !/^[\x20-\x7e]*$/.test(value)) {
      throw refuse(`the header '${name}' is signed and must be printable ASCII`)
    }
    headers[name] = isSigned(name) ? value.replace(/ {2,}/g, ' ') : value
  }
  return headers
}

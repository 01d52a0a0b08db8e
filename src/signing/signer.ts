import type { KeyObject } from 'node:crypto'
import { createCanonicalRequest, createStringToSign } from './canonical-request.ts'
import { type AwsCredentialIdentity, isSameIdentity } from './credentials.ts'
import { findKind } from './service-table.ts'
import { hmacHex } from './sha256.ts'
import { deriveSigningKey } from './signing-key.ts'
import type { WireUrl } from './wire-url.ts'

/** Region and service that requests are signed for. */
export interface SigningScope {
  readonly region: string
  /** Signing name of the AWS service. */
  readonly service: string
}

/** A request as it is sent, without the headers that signing adds. */
interface SignableRequest {
  readonly method: string
  readonly wire: WireUrl
  /** Names in lower case, values without excess white space. */
  readonly headers: Readonly<Record<string, string>>
  /** SHA-256 of the body in hex, or `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string
}

interface SignedRequest {
  /** The headers of the request, and those that signing adds. */
  readonly headers: Record<string, string>
  readonly canonicalRequest: string
  readonly signature: string
}

/** Returns a promise only if it must derive a signing key. */
export type Sign = (
  request: SignableRequest,
  identity: AwsCredentialIdentity,
  signingDate: Date,
) => SignedRequest | Promise<SignedRequest>

/** A signing key. It is valid for one identity and one day. */
interface SigningKey {
  readonly identity: AwsCredentialIdentity
  readonly shortDate: string
  readonly key: KeyObject
}

/**
 * Creates a signer for Signature Version 4. It caches one key with its identity, so that token and signature always
 * match.
 */
export function createSign({ region, service }: SigningScope): Sign {
  const { pathEncoding } = findKind(service)
  let last: SigningKey | undefined
  return (request, identity, signingDate) => {
    const amzDate = toAmzDate(signingDate)
    const shortDate = amzDate.slice(0, 8)
    if (last !== undefined && last.shortDate === shortDate && isSameIdentity(last.identity, identity)) {
      return signWith(last, request, amzDate)
    }
    return deriveSigningKey(identity, { shortDate, region, service }).then((key) => {
      last = { identity, shortDate, key }
      return signWith(last, request, amzDate)
    })
  }

  function signWith(
    { identity, shortDate, key }: SigningKey,
    { method, wire, headers, payloadHash }: SignableRequest,
    amzDate: string,
  ): SignedRequest {
    const { accessKeyId, sessionToken } = identity
    const signed: Record<string, string> = { ...headers, 'x-amz-date': amzDate, 'x-amz-content-sha256': payloadHash }
    if (sessionToken !== undefined) signed['x-amz-security-token'] = sessionToken
    const signable: [string, string][] = [['host', wire.host]]
    for (const name of Object.keys(signed)) if (isSigned(name)) signable.push([name, signed[name] as string])
    const canonical = createCanonicalRequest(method, wire.path, pathEncoding, wire.query, signable, payloadHash)
    const scope = `${shortDate}/${region}/${service}/aws4_request`
    const signature = hmacHex(key, createStringToSign(amzDate, scope, canonical.text))
    signed.authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${canonical.signedHeaders}, Signature=${signature}`
    return { headers: signed, canonicalRequest: canonical.text, signature }
  }
}

/** Formats a time as `YYYYMMDDTHHMMSSZ`. @throws RangeError for a year with more than four digits */
function toAmzDate(date: Date): string {
  const text = date.toISOString().replace(/[-:]|\.\d{3}/g, '')
  if (!/^\d{8}T/.test(text)) throw new RangeError('the year has more than four digits')
  return text
}

/** Whether a header is signed. Only these are, because proxies and tracers change others on the way. */
export function isSigned(header: string): boolean {
  return header === 'content-type' || header.startsWith('x-amz-')
}

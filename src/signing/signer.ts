import type { KeyObject } from 'node:crypto'
import { createCanonicalRequest, createStringToSign } from './canonical-request.ts'
import { type AwsCredentialIdentity, isSameIdentity } from './credentials.ts'
import { findKind } from './service-table.ts'
import { hmacHex } from './sha256.ts'
import { deriveSigningKey } from './signing-key.ts'
import type { WireUrl } from './wire-url.ts'

/** Whom requests are signed for. */
export interface SigningScope {
  readonly region: string
  /** Signing name of the AWS service. */
  readonly service: string
}

/** A request as it goes on the wire, but for what signing adds. */
interface SignableRequest {
  readonly method: string
  readonly wire: WireUrl
  /** Names in lower case, values without excess white space. */
  readonly headers: Readonly<Record<string, string>>
  /** Hex SHA-256 of the body, or the word for an unsigned one. */
  readonly payloadHash: string
}

interface SignedRequest {
  /** The request's headers and those of the signature. */
  readonly headers: Record<string, string>
  readonly canonicalRequest: string
  readonly signature: string
}

/** A promise only where a key must be derived first. */
export type Sign = (
  request: SignableRequest,
  identity: AwsCredentialIdentity,
  signingDate: Date,
) => SignedRequest | Promise<SignedRequest>

/** A key is one identity's for one day. */
interface SigningKey {
  readonly identity: AwsCredentialIdentity
  readonly shortDate: string
  readonly key: KeyObject
}

/** Signs with Signature Version 4. Keeps one key, so that a token is never sent with another identity's signature. */
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

/** `YYYYMMDDTHHMMSSZ`. @throws RangeError for a time that has no such form */
function toAmzDate(date: Date): string {
  const text = date.toISOString().replace(/[-:]|\.\d{3}/g, '')
  if (!/^\d{8}T\d{6}Z$/.test(text)) throw new RangeError('the year has more than four digits')
  return text
}

/** An allow-list: what is not signed may be changed on the way, as proxies and tracers do. */
export function isSigned(header: string): boolean {
  return header === 'content-type' || header.startsWith('x-amz-')
}

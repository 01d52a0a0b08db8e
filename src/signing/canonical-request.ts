import type { ServiceKind } from './service-table.ts'
import { sha256Hex } from './sha256.ts'

type Pairs = readonly (readonly [name: string, value: string])[]

export interface CanonicalRequest {
  readonly text: string
  /** Names of the signed headers, joined with `;`. */
  readonly signedHeaders: string
}

/**
 * Creates the canonical request of Signature Version 4 from the strings that are sent. Path and query must be encoded,
 * header names in lower case, and header values without excess white space.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function createCanonicalRequest(
  method: string,
  path: string,
  pathEncoding: ServiceKind['pathEncoding'],
  query: Pairs,
  headers: Pairs,
  payloadHash: string,
): CanonicalRequest {
  const sortedHeaders = headers.toSorted(byNameThenValue)
  const signedHeaders = sortedHeaders.map(([name]) => name).join(';')
  const text = [
    method,
    // A second encoding of an encoded path changes only `%`.
    pathEncoding === 'twice' ? path.replaceAll('%', '%25') : path,
    query
      .toSorted(byNameThenValue)
      .map(([name, value]) => `${name}=${value}`)
      .join('&'),
    ...sortedHeaders.map(([name, value]) => `${name}:${value}`),
    '',
    signedHeaders,
    payloadHash,
  ].join('\n')
  return { text, signedHeaders }
}

/** Creates the string to sign. `amzDate` is `YYYYMMDDTHHMMSSZ`, the scope `date/region/service/aws4_request`. */
export function createStringToSign(amzDate: string, credentialScope: string, canonicalRequest: string): string {
  return `AWS4-HMAC-SHA256\n${amzDate}\n${credentialScope}\n${sha256Hex(canonicalRequest)}`
}

function byNameThenValue([nameA, valueA]: Pairs[number], [nameB, valueB]: Pairs[number]): number {
  return compare(nameA, nameB) || compare(valueA, valueB)
}

/** Compares by code point: all strings here are ASCII. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

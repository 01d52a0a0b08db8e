import type { ServiceKind } from './service-table.ts'
import { sha256Hex } from './sha256.ts'

type Pairs = readonly (readonly [name: string, value: string])[]

export interface CanonicalRequest {
  readonly text: string
  /** Names of the signed headers, joined with `;`. */
  readonly signedHeaders: string
}

/**
 * The canonical request of Signature Version 4, built from the strings on the wire: path and query are encoded already,
 * header names are in lower case, header values have no excess white space.
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
    // Of a strictly encoded path, `%` is all that a second encoding changes.
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

/** `amzDate` is `YYYYMMDDTHHMMSSZ`; the scope is `date/region/service/aws4_request`. */
export function createStringToSign(amzDate: string, credentialScope: string, canonicalRequest: string): string {
  return `AWS4-HMAC-SHA256\n${amzDate}\n${credentialScope}\n${sha256Hex(canonicalRequest)}`
}

function byNameThenValue([nameA, valueA]: Pairs[number], [nameB, valueB]: Pairs[number]): number {
  return compare(nameA, nameB) || compare(valueA, valueB)
}

/** By code point; all strings here are ASCII. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

import { Sha256 } from '@aws-crypto/sha256-js'
import type { AwsCredentialIdentity } from '../signing/index.ts'

/** A received request. */
export interface ReceivedRequest {
  /** HTTP method, as in the request line. */
  readonly method: string
  /** Path and query of the request line, not decoded. */
  readonly target: string
  /** Alternating names and values, as in `rawHeaders` of `node:http`. */
  readonly rawHeaders: readonly string[]
  /** The body's bytes. Empty without a body. */
  readonly body: Uint8Array
}

/** Options of `verifySignature`. */
export interface VerifyOptions {
  /** The identities that are accepted. */
  readonly credentials: readonly AwsCredentialIdentity[]
  /** AWS region that the request must be signed for. */
  readonly region: string
  /**
   * Signing name of the AWS service that the request must be signed for.
   * @default 'execute-api'
   */
  readonly service?: string
  /** Current time, in milliseconds since the epoch. Default: the machine's clock. */
  readonly now?: number
}

/** Result of a verification. For a rejected signature, it has API Gateway's error type and message. */
export type SignatureVerdict = VerifiedSignature | RejectedSignature

/** A valid signature. */
type VerifiedSignature = {
  /** Distinguishes the two verdicts. */
  readonly verified: true
  /** The canonical request that was signed. */
  readonly canonicalRequest: string
  /** The string that was signed. */
  readonly stringToSign: string
}

/** An invalid or missing signature. */
type RejectedSignature = {
  /** Distinguishes the two verdicts. */
  readonly verified: false
  /** API Gateway's value of the header `x-amzn-ErrorType`. */
  readonly errorType: string
  /** API Gateway's message in the body. */
  readonly message: string
  /** The canonical request that should have been signed. Absent if the rejection has another reason. */
  readonly canonicalRequest?: string
  /** The string that should have been signed. Absent if the rejection has another reason. */
  readonly stringToSign?: string
}

/** Replaces the body's hash. */
const UNSIGNED = 'UNSIGNED-PAYLOAD'

/** Signing names of S3, whose paths are object keys. */
const S3_SERVICES: readonly string[] = ['s3', 's3-object-lambda', 's3-outposts', 's3express']

/** Valid time of a signature in milliseconds, before and after the gateway's time. */
const CLOCK_WINDOW_MS = 300_000

/**
 * Computes the Signature Version 4 of a received request and compares it, as API Gateway does. It follows AWS's
 * description and shares no code with the signer, so that it finds the signer's mistakes. It never throws: an invalid
 * request gets a verdict.
 *
 * @param request The received request.
 * @param options Accepted credentials, region and service.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function verifySignature(request: ReceivedRequest, options: VerifyOptions): SignatureVerdict {
  const { service = 'execute-api', region, now = Date.now() } = options
  const headers = groupHeaders(request.rawHeaders)
  const authorization = headers.get('authorization')
  if (authorization === undefined) return reject('MissingAuthenticationTokenException', 'Missing Authentication Token')
  const parts = /^AWS4-HMAC-SHA256 +Credential=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([^,\s]+)$/.exec(
    authorization,
  )
  if (parts === null) return reject('IncompleteSignatureException', incompleteMessage(authorization))
  const [, credential, signedHeaders, signature] = parts as string[] as [string, string, string, string]
  const [accessKeyId, date, ...rest] = credential.split('/')
  const identity = options.credentials.find((known) => known.accessKeyId === accessKeyId)
  const token = headers.get('x-amz-security-token')
  if (identity === undefined || identity.sessionToken !== token) {
    return reject('UnrecognizedClientException', 'The security token included in the request is invalid.')
  }
  const amzDate = headers.get('x-amz-date')
  const scoped = rest.join('/') === `${region}/${service}/aws4_request`
  if (!scoped || amzDate === undefined || amzDate.slice(0, 8) !== date) {
    return reject('InvalidSignatureException', `Credential should be scoped to a valid region and to '${service}'.`)
  }
  const names = signedHeaders.split(';')
  if (!names.includes('host'))
    return reject('InvalidSignatureException', "'Host' or ':authority' must be a 'SignedHeader'")
  const unsigned = [...headers.keys()].find((name) => name.startsWith('x-amz-') && !names.includes(name))
  if (unsigned !== undefined) return reject('InvalidSignatureException', `'${unsigned}' must be a 'SignedHeader'`)
  const missing = names.find((name) => !headers.has(name))
  if (missing !== undefined) return reject('InvalidSignatureException', `the 'SignedHeader' '${missing}' is missing`)
  const outdated = checkClock(amzDate, now)
  if (outdated !== undefined) return reject('InvalidSignatureException', outdated)

  // These services accept a signature without the body's hash.
  const isUnsigned = ['s3', 'vpc-lattice-svcs'].includes(service) && headers.get('x-amz-content-sha256') === UNSIGNED
  const [path, search] = splitOnce(request.target, '?')
  const canonicalRequest = [
    request.method,
    S3_SERVICES.includes(service) ? canonicalKey(path) : canonicalPath(path),
    canonicalQuery(search),
    ...names.map((name) => `${name}:${canonicalValue(headers.get(name) as string)}`),
    '',
    signedHeaders,
    isUnsigned ? UNSIGNED : hex(request.body),
  ].join('\n')
  const scope = `${date}/${region}/${service}/aws4_request`
  const stringToSign = `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${hex(canonicalRequest)}`
  let key: Uint8Array = Buffer.from(`AWS4${identity.secretAccessKey}`)
  for (const part of [date, region, service, 'aws4_request']) key = hmac(key, part)
  if (Buffer.from(hmac(key, stringToSign)).toString('hex') === signature) {
    return { verified: true, canonicalRequest, stringToSign }
  }
  return {
    ...reject('InvalidSignatureException', mismatchMessage(canonicalRequest, stringToSign)),
    canonicalRequest,
    stringToSign,
  }
}

function reject(errorType: string, message: string): RejectedSignature {
  return { verified: false, errorType, message }
}

/** Names in lower case. Headers with the same name are joined with a comma. */
function groupHeaders(rawHeaders: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>()
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase()
    const value = rawHeaders[index + 1] as string
    headers.set(name, headers.has(name) ? `${headers.get(name)},${value}` : value)
  }
  return headers
}

/** Trims spaces, and collapses repeated spaces. Other white space stays. */
function canonicalValue(value: string): string {
  return value.replace(/^ +| +$/g, '').replace(/ +/g, ' ')
}

function checkClock(amzDate: string, now: number): string | undefined {
  // Stryker disable next-line Regex: the next check rejects a date that was parsed differently.
  const signedAt = Date.parse(amzDate.replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/, '$1-$2-$3T$4:$5:$6Z'))
  if (Number.isNaN(signedAt) || toAmzDate(signedAt) !== amzDate) {
    return "Date in Credential scope does not match 'x-amz-date'"
  }
  if (signedAt < now - CLOCK_WINDOW_MS) return expiredMessage(amzDate, now)
  if (signedAt > now + CLOCK_WINDOW_MS) return notYetCurrentMessage(amzDate, now)
  return undefined
}

/** Removes dot segments and repeated slashes, then encodes each received segment once more. */
function canonicalPath(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(encode(Buffer.from(segment, 'latin1')))
  }
  return `/${kept.join('/')}${kept.length > 0 && path.endsWith('/') ? '/' : ''}`
}

/**
 * Each slash and dot is part of an object's key, so nothing is removed. Escapes are not encoded again.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
function canonicalKey(path: string): string {
  const encoded = path.replace(/[^\w\-.~/%]/g, (character) => encode(Buffer.from(character, 'latin1')))
  return encoded === '' ? '/' : encoded
}

/** Decodes names and values, encodes them strictly, and sorts them by name, then by value. */
function canonicalQuery(search: string): string {
  const pairs = search
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => splitOnce(pair, '=').map((part) => encode(decode(part))) as [string, string])
  pairs.sort(([nameA, valueA], [nameB, valueB]) => order(nameA, nameB) || order(valueA, valueB))
  return pairs.map((pair) => pair.join('=')).join('&')
}

function order(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/** Percent-decodes to bytes. A `+` is a space. An invalid escape stays. */
function decode(text: string): Buffer {
  const latin1 = text
    .replaceAll('+', ' ')
    .replace(/%([\da-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  return Buffer.from(latin1, 'latin1')
}

function encode(bytes: Buffer): string {
  let text = ''
  for (const byte of bytes) {
    const character = String.fromCharCode(byte)
    text += /[A-Za-z0-9\-._~]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}

function hex(data: string | Uint8Array): string {
  const hash = new Sha256()
  hash.update(data)
  return Buffer.from(hash.digestSync()).toString('hex')
}

function hmac(key: Uint8Array, data: string): Uint8Array {
  const hash = new Sha256(key)
  hash.update(data)
  return hash.digestSync()
}

/** The message contains a hash of the header, because the header may contain a secret. */
export function incompleteMessage(authorization: string): string {
  const problem = 'not a valid key=value pair (missing equal-sign) in Authorization header'
  return `${problem} (hashed with SHA-256): '${hex(authorization)}'`
}

/** The message repeats the canonical request, with the session token, and the string to sign, if they are known. */
export function mismatchMessage(canonicalRequest?: string, stringToSign?: string): string {
  const problem =
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.'
  if (canonicalRequest === undefined) return problem
  return `${problem}\n\nThe Canonical String for this request should have been\n'${canonicalRequest}'\n\nThe String-to-Sign should have been\n'${stringToSign}'\n`
}

export function expiredMessage(amzDate: string, now: number): string {
  return `Signature expired: ${amzDate} is now earlier than ${toAmzDate(now - CLOCK_WINDOW_MS)} (${toAmzDate(now)} - 5 min.)`
}

export function notYetCurrentMessage(amzDate: string, now: number): string {
  return `Signature not yet current: ${amzDate} is still later than ${toAmzDate(now + CLOCK_WINDOW_MS)} (${toAmzDate(now)} + 5 min.)`
}

/** Formats a time as in the header `x-amz-date`. */
export function toAmzDate(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d+/g, '')
}

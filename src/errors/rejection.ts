import type { AuthReason } from './service-errors.ts'

/** Why a gateway rejected a request: its authorization, or its rate. */
export type Rejection = AuthReason | 'throttled' | 'quota'

/** How one kind of AWS service rejects requests. */
export interface RejectionRules {
  /** IAM actions that the caller needs. */
  readonly actions: readonly string[]
  /** Whether a rejection is described in `errors[]` of the body, as in GraphQL. */
  readonly hasErrorList?: boolean
  /** What `LimitExceededException` means: a used-up quota of a usage plan, or a temporary rate limit. */
  readonly limitExceeded: 'quota' | 'throttled'
}

/** A response whose body can be inspected without consuming it. */
export interface PeekableResponse extends Response {
  readonly peek: (maxBytes: number, ms: number, isEnough: (text: string) => boolean) => Promise<string>
}

/** Error type and message of a rejection. */
interface RejectionText {
  readonly type: string | undefined
  readonly message: string
}

const BY_TYPE: ReadonlyMap<string | undefined, Rejection> = new Map([
  ['MissingAuthenticationTokenException', 'missing-token'],
  ['IncompleteSignatureException', 'signature-mismatch'],
  ['InvalidSignatureException', 'signature-mismatch'],
  ['UnrecognizedClientException', 'invalid-token'],
  ['ExpiredTokenException', 'expired-token'],
  ['AccessDeniedException', 'access-denied'],
  ['ForbiddenException', 'forbidden'],
  ['UnauthorizedException', 'access-denied'],
  ['TooManyRequestsException', 'throttled'],
])

/** Rejections that the message identifies better than the type: `AccessDeniedException` may mean a wrong token. */
const BY_MESSAGE: readonly (readonly [pattern: RegExp, rejection: Rejection])[] = [
  [/^Signature expired/, 'signature-expired'],
  [/^Signature not yet current/, 'signature-not-yet-current'],
  [/^Credential should be scoped to /, 'wrong-scope'],
  [/security token included in the request is expired/, 'expired-token'],
  [/security token included in the request is invalid/, 'invalid-token'],
  [/is not authorized to perform: |explicit deny/, 'access-denied'],
  [/^The request signature we calculated does not match/, 'signature-mismatch'],
  [/^Missing Authentication Token$/, 'missing-token'],
]

/** Types with several meanings. The message decides between them. */
const AMBIGUOUS: ReadonlyMap<string | undefined, readonly Rejection[]> = new Map([
  ['InvalidSignatureException', ['signature-expired', 'signature-not-yet-current', 'wrong-scope']],
  ['AccessDeniedException', ['expired-token', 'invalid-token']],
])

/** Rejections that a second attempt can fix, with new credentials or a corrected time. */
const HEALABLE: ReadonlyMap<Rejection | undefined, 'token' | 'time'> = new Map([
  ['expired-token', 'token'],
  ['invalid-token', 'token'],
  ['signature-expired', 'time'],
  ['signature-not-yet-current', 'time'],
])

/** The error type of API Gateway, without the namespace that may follow a colon. */
function readErrorType(headers: Headers): string | undefined {
  return headers.get('x-amzn-errortype')?.split(':')[0] || undefined
}

/** Type and message of a rejection. In GraphQL, the first of the errors has both. */
export function readRejectionText(headers: Headers, data: unknown, rules: RejectionRules): RejectionText {
  const { errors } = Object(data) as { errors?: unknown }
  const first = Object(rules.hasErrorList && Array.isArray(errors) ? errors[0] : data) as { errorType?: unknown }
  const ofBody = rules.hasErrorList && typeof first.errorType === 'string' ? first.errorType : undefined
  return { type: readErrorType(headers) ?? ofBody, message: readMessage(typeof data === 'string' ? data : first) }
}

/** API Gateway writes `message` or `Message`. */
function readMessage(data: unknown): string {
  if (typeof data === 'string') return data
  const { message, Message } = data as { message?: unknown; Message?: unknown }
  const found = message ?? Message
  return typeof found === 'string' ? found : ''
}

/**
 * Classifies a response by its error type, then by its message, then by its status. REST APIs send all three. HTTP APIs
 * and customised gateway responses may omit the type or change the status. A 401 or 403 without any sign of a gateway
 * comes from the service itself.
 */
export function classifyRejection(
  status: number,
  { type, message }: RejectionText,
  rules: RejectionRules,
): Rejection | undefined {
  if (type === 'LimitExceededException') return rules.limitExceeded
  const byType = BY_TYPE.get(type)
  const candidates = AMBIGUOUS.get(type)
  if (byType !== undefined && candidates === undefined) return byType
  const isDenied = status === 401 || status === 403
  if (byType !== undefined || isDenied || (rules.hasErrorList === true && status >= 400)) {
    const byMessage = BY_MESSAGE.find(
      ([pattern, rejection]) => (candidates?.includes(rejection) ?? true) && pattern.test(message),
    )
    if (byMessage !== undefined) return byMessage[1]
  }
  if (byType !== undefined) return byType
  if (status === 429) return 'throttled'
  return isDenied && (type !== undefined || message === 'Forbidden') ? 'forbidden' : undefined
}

/** Whether a response says that a usage plan's quota is used up. */
export function isQuotaExhausted(headers: Headers, rules: RejectionRules): boolean {
  return rules.limitExceeded === 'quota' && readErrorType(headers) === 'LimitExceededException'
}

/** Whether the gateway throttled the request: it does so before any code runs. */
export function isGatewayThrottling({ status, headers }: Response): boolean {
  const type = readErrorType(headers)
  return type === 'TooManyRequestsException' || (status === 429 && type === 'LimitExceededException')
}

/**
 * Whether a second attempt may succeed: with another token, or with another time. Only a rejection with an error type
 * counts, because an integration may send a body with the same message.
 */
export async function readHealable(
  response: PeekableResponse,
  rules: RejectionRules,
): Promise<'token' | 'time' | undefined> {
  const isAmbiguous = AMBIGUOUS.has(readErrorType(response.headers))
  const isAsked = isAmbiguous || (rules.hasErrorList === true && response.status >= 400)
  const data: unknown = isAsked ? await peek(response) : undefined
  const rejection = classifyRejection(response.status, readRejectionText(response.headers, data, rules), rules)
  return HEALABLE.get(rejection)
}

/** Limits for reading a rejection: the gateway sends a few kilobytes in one piece. */
const MAX_PEEK = 16_384
const MAX_PEEK_MS = 1_000

/** Parses the body without consuming the response. The body may be endless, or not meant for the client at all. */
async function peek(response: PeekableResponse): Promise<unknown> {
  return parseJson(await response.peek(MAX_PEEK, MAX_PEEK_MS, (text) => parseJson(text) !== undefined))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

import type { AuthReason } from './service-errors.ts'

/** Why a gateway refused a call: for who makes it, or for how often. */
export type Refusal = AuthReason | 'throttled' | 'quota'

/** How one kind of AWS service refuses. */
export interface RefusalRules {
  /** IAM actions that a caller needs. */
  readonly actions: readonly string[]
  /** Whether refusals come in `errors[]` of the body, as GraphQL has them. */
  readonly hasErrorList?: boolean
  /** What `LimitExceededException` stands for: a usage plan's quota, or a rate that passes. */
  readonly limitExceeded: 'quota' | 'throttled'
}

/** A response whose body can be looked at and stays unread. */
export interface PeekableResponse extends Response {
  readonly peek: (maxBytes: number, ms: number, isEnough: (text: string) => boolean) => Promise<string>
}

/** What a response says of a refusal. */
interface RefusalText {
  readonly type: string | undefined
  readonly message: string
}

const BY_TYPE: ReadonlyMap<string | undefined, Refusal> = new Map([
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

/** What only the message tells, or tells better than the type: `AccessDeniedException` stands for wrong tokens too. */
const BY_MESSAGE: readonly (readonly [pattern: RegExp, refusal: Refusal])[] = [
  [/^Signature expired/, 'signature-expired'],
  [/^Signature not yet current/, 'signature-not-yet-current'],
  [/^Credential should be scoped to /, 'wrong-scope'],
  [/security token included in the request is expired/, 'expired-token'],
  [/security token included in the request is invalid/, 'invalid-token'],
  [/is not authorized to perform: |explicit deny/, 'access-denied'],
  [/^The request signature we calculated does not match/, 'signature-mismatch'],
  [/^Missing Authentication Token$/, 'missing-token'],
]

/** Types that stand for several refusals, of which the message tells one. */
const AMBIGUOUS: ReadonlyMap<string | undefined, readonly Refusal[]> = new Map([
  ['InvalidSignatureException', ['signature-expired', 'signature-not-yet-current', 'wrong-scope']],
  ['AccessDeniedException', ['expired-token', 'invalid-token']],
])

/** What another attempt may heal. */
const HEALABLE: ReadonlyMap<Refusal | undefined, 'token' | 'time'> = new Map([
  ['expired-token', 'token'],
  ['invalid-token', 'token'],
  ['signature-expired', 'time'],
  ['signature-not-yet-current', 'time'],
])

/** API Gateway's name for its error; some come with a namespace after a colon. */
export function readErrorType(headers: Headers): string | undefined {
  return headers.get('x-amzn-errortype')?.split(':')[0] || undefined
}

/** Type and message of a refusal. GraphQL has them in the first of its errors. */
export function readRefusalText(headers: Headers, data: unknown, rules: RefusalRules): RefusalText {
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
 * Classifies a response by its error type, then by its message, then by its status: REST APIs send all three, HTTP APIs and
 * an owner's own gateway responses may leave the type out or change the status. A 401 or 403 without any sign of a gateway is
 * the service's own.
 */
export function classifyRefusal(
  status: number,
  { type, message }: RefusalText,
  rules: RefusalRules,
): Refusal | undefined {
  if (type === 'LimitExceededException') return rules.limitExceeded
  const byType = BY_TYPE.get(type)
  const candidates = AMBIGUOUS.get(type)
  if (byType !== undefined && candidates === undefined) return byType
  const isDenied = status === 401 || status === 403
  if (byType !== undefined || isDenied || (rules.hasErrorList === true && status >= 400)) {
    const byMessage = BY_MESSAGE.find(
      ([pattern, refusal]) => (candidates?.includes(refusal) ?? true) && pattern.test(message),
    )
    if (byMessage !== undefined) return byMessage[1]
  }
  if (byType !== undefined) return byType
  if (status === 429) return 'throttled'
  return isDenied && (type !== undefined || message === 'Forbidden') ? 'forbidden' : undefined
}

/** Whether a response says that a usage plan's quota is used up. */
export function isQuotaExhausted(headers: Headers, rules: RefusalRules): boolean {
  return rules.limitExceeded === 'quota' && readErrorType(headers) === 'LimitExceededException'
}

/**
 * The refusal of a response that another signature may heal: of its token, or of its time. It must come from the gateway
 * itself, which names its error's type; an integration may write the same words into a body of its own.
 */
export async function readHealable(
  response: PeekableResponse,
  rules: RefusalRules,
): Promise<'token' | 'time' | undefined> {
  const type = readErrorType(response.headers)
  const isAsked = AMBIGUOUS.has(type) || (rules.hasErrorList === true && response.status >= 400)
  if (type === undefined && !isAsked) return undefined
  const data: unknown = isAsked ? await peek(response) : undefined
  const refusal = classifyRefusal(response.status, readRefusalText(response.headers, data, rules), rules)
  return HEALABLE.get(refusal)
}

/** Bytes, and milliseconds, in which a gateway's refusal has come whole: it is a few kilobytes in one piece. */
const MAX_PEEK = 16_384
const MAX_PEEK_MS = 1_000

/** The body's JSON, leaving the response unread: nobody may have asked for it, and it may have no end. */
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

import type { AuthReason } from './service-errors.ts'

/** Why a gateway refused a call: for who makes it, or for how often. */
export type Refusal = AuthReason | 'throttled' | 'quota'

const BY_TYPE: ReadonlyMap<string | undefined, Refusal> = new Map([
  ['MissingAuthenticationTokenException', 'missing-token'],
  ['IncompleteSignatureException', 'signature-mismatch'],
  ['InvalidSignatureException', 'signature-mismatch'],
  ['UnrecognizedClientException', 'invalid-token'],
  ['ExpiredTokenException', 'expired-token'],
  ['AccessDeniedException', 'access-denied'],
  ['ForbiddenException', 'forbidden'],
  ['TooManyRequestsException', 'throttled'],
  ['LimitExceededException', 'quota'],
])

/** What only the message tells, or tells better than the type: `AccessDeniedException` stands for wrong tokens too. */
const BY_MESSAGE: readonly (readonly [pattern: RegExp, refusal: Refusal])[] = [
  [/^Signature expired/, 'signature-expired'],
  [/^Signature not yet current/, 'signature-not-yet-current'],
  [/security token included in the request is expired/, 'expired-token'],
  [/security token included in the request is invalid/, 'invalid-token'],
  [/is not authorized to perform: |explicit deny/, 'access-denied'],
  [/^The request signature we calculated does not match/, 'signature-mismatch'],
  [/^Missing Authentication Token$/, 'missing-token'],
]

/** Types that stand for several refusals, of which the message tells one. */
const AMBIGUOUS: ReadonlyMap<string | undefined, readonly Refusal[]> = new Map([
  ['InvalidSignatureException', ['signature-expired', 'signature-not-yet-current']],
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

/** API Gateway writes `message` or `Message`. */
export function readMessage(data: unknown): string {
  if (typeof data === 'string') return data
  const { message, Message } = (data ?? {}) as { message?: unknown; Message?: unknown }
  const found = message ?? Message
  return typeof found === 'string' ? found : ''
}

/**
 * Classifies an answer by its error type, then by its message, then by its status: REST APIs send all three, HTTP APIs
 * and owners' own gateway responses may leave the type out or change the status.
 */
export function classifyRefusal(status: number, type: string | undefined, message: string): Refusal | undefined {
  const byType = BY_TYPE.get(type)
  const candidates = AMBIGUOUS.get(type)
  if (byType !== undefined && candidates === undefined) return byType
  if (byType !== undefined || status === 401 || status === 403) {
    const byMessage = BY_MESSAGE.find(
      ([pattern, refusal]) => (candidates?.includes(refusal) ?? true) && pattern.test(message),
    )
    if (byMessage !== undefined) return byMessage[1]
  }
  if (byType !== undefined) return byType
  return status === 403 ? 'forbidden' : status === 429 ? 'throttled' : undefined
}

/**
 * The refusal of an answer, where another attempt may heal it: its token or its signature's time. It must come from the
 * gateway itself, which names its error's type; an integration may write the same words into a body of its own.
 */
export async function readHealable(response: Response): Promise<'token' | 'time' | undefined> {
  const type = readErrorType(response.headers)
  // Stryker disable next-line StringLiteral: any text would do that no pattern fits.
  const message = AMBIGUOUS.has(type) ? await peek(response) : ''
  return HEALABLE.get(classifyRefusal(response.status, type, message))
}

/** The message, leaving the response as it is. */
async function peek(response: Response): Promise<string> {
  return response
    .clone()
    .json()
    .catch(() => {})
    .then(readMessage)
}

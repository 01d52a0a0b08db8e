/** What API Gateway refused a request for, where another attempt may heal it. */
export type Healable = 'token' | 'time'

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
 * Whether the gateway itself refused a token or a signature's time. Its error type decides; an integration may write
 * the same words into a body of its own.
 */
export async function readHealable(response: Response): Promise<Healable | undefined> {
  switch (readErrorType(response.headers)) {
    case 'ExpiredTokenException':
    case 'UnrecognizedClientException':
      return 'token'
    case 'AccessDeniedException':
      return /security token included in the request is (?:invalid|expired)/.test(await peek(response))
        ? 'token'
        : undefined
    case 'InvalidSignatureException':
      return /^Signature (?:expired|not yet current)/.test(await peek(response)) ? 'time' : undefined
    default:
      return undefined
  }
}

/** The message, leaving the response as it is. */
async function peek(response: Response): Promise<string> {
  return response
    .clone()
    .json()
    .then(readMessage, () => '')
}

import { readThrown, type Thrown } from './thrown.ts'

/** Information from a transport's error of any class. */
export interface TransportError {
  /** Code of the operating system, Node.js or undici. `UNKNOWN` without one. */
  readonly code: string
  /** The messages of all nested errors, for example one for each address that was tried. */
  readonly message: string
  /** Whether no connection was made, so that the request cannot have run. */
  readonly neverConnected: boolean
  /** Whether Node.js or undici refused to send the request. */
  readonly neverSent: boolean
  /** Whether the transport returned something other than a response. */
  readonly notAResponse: boolean
  /** Whether the transport's own timeout ended the request, such as `AbortSignal.timeout()`. */
  readonly timedOut: boolean
}

/** Codes without any connection. `EHOSTUNREACH` is not among them: an open connection may also fail with it. */
const NEVER_CONNECTED: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Codes of requests that Node.js and undici refuse to send. */
const NEVER_SENT =
  /^(UND_ERR_(INVALID_ARG|NOT_SUPPORTED)|ERR_(INVALID_(ARG_\w+|CHAR|HTTP_TOKEN|PROTOCOL|URL)|HTTP_INVALID_\w+|UNESCAPED_CHARACTERS))$/

/** Codes of a process without free file descriptors. */
const NO_DESCRIPTORS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE'])

/** Code of the error for a `fetch` that did not return a response. */
export const NOT_A_RESPONSE = 'ERR_NOT_A_RESPONSE'

/** Limits for nested errors: more add no information. */
const MAX_DEPTH = 5
const MAX_INNERMOST = 8

/** Reads a transport's error and its nested errors. `fetch` has them in `cause`, aggregate errors in `errors`. */
export function readTransportError(error: unknown): TransportError {
  const innermost = findInnermost(error, 0).slice(0, MAX_INNERMOST)
  const codes = innermost.map(codeOf)
  const messages = innermost.map(({ message }) => message).filter((text) => typeof text === 'string' && text !== '')
  return {
    code: codes.find((code) => code !== undefined) ?? 'UNKNOWN',
    message: [...new Set(messages)].join(', '),
    neverConnected:
      innermost.length > 0 &&
      innermost.every((one) => one.syscall === 'connect' || NEVER_CONNECTED.has(codeOf(one) as string)),
    neverSent: codes.some((code) => NEVER_SENT.test(String(code))),
    notAResponse: codes.includes(NOT_A_RESPONSE),
    timedOut: readThrown(error).name === 'TimeoutError',
  }
}

/** Whether a network error's code means that this process has no free file descriptors. */
export function isOutOfDescriptors(code: string): boolean {
  return NO_DESCRIPTORS.has(code)
}

/** The errors without nested errors. */
function findInnermost(error: unknown, depth: number): readonly Partial<Thrown>[] {
  if (typeof error !== 'object' || error === null) return typeof error === 'string' ? [{ message: error }] : []
  const thrown = readThrown(error)
  const { cause, errors } = thrown
  const nested = errors !== undefined && errors.length > 0 ? errors : [cause]
  const found = depth < MAX_DEPTH ? nested.flatMap((one) => findInnermost(one, depth + 1)) : []
  return found.length > 0 ? found : [thrown]
}

function codeOf({ code }: Partial<Thrown>): string | undefined {
  return typeof code === 'string' && /^[A-Z][A-Z\d_]+$/.test(code) ? code : undefined
}

import { readThrown, type Thrown } from './thrown.ts'

/** What a transport's error says, whatever class it has. */
export interface TransportError {
  /** The system's, Node.js's or undici's code; `UNKNOWN` where there is none. */
  readonly code: string
  /** The messages of all errors that are nested in it: each address that was tried. */
  readonly message: string
  /** Whether no connection was made, so that the request cannot have run. */
  readonly neverConnected: boolean
  /** Whether the request could not be sent as it is. */
  readonly neverSent: boolean
  /** Whether the transport gave something else than a response. */
  readonly notAResponse: boolean
  /** Whether the transport gave up by a bound of its own, such as `AbortSignal.timeout()`. */
  readonly timedOut: boolean
}

/** Codes of connections that were never made; an unreachable host can be told of an open connection as well. */
const NEVER_CONNECTED: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Codes by which Node.js and undici refuse to send a request as it is. */
const NEVER_SENT =
  /^(UND_ERR_(INVALID_ARG|NOT_SUPPORTED)|ERR_(INVALID_(ARG_\w+|CHAR|HTTP_TOKEN|PROTOCOL|URL)|HTTP_INVALID_\w+|UNESCAPED_CHARACTERS))$/

/** Codes of a process that has no file descriptor left. */
const NO_DESCRIPTORS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE'])

/** Code of the error for what a `fetch` gave that is no response. */
export const NOT_A_RESPONSE = 'ERR_NOT_A_RESPONSE'

/** Nested deeper, or more of them, errors say nothing more. */
const MAX_DEPTH = 5
const MAX_INNERMOST = 8

/** Reads a transport's error and those that are nested in it, as `fetch` and aggregate errors have them. */
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
    neverSent: codes.some((code) => code !== undefined && NEVER_SENT.test(code)),
    notAResponse: codes.includes(NOT_A_RESPONSE),
    timedOut: readThrown(error).name === 'TimeoutError',
  }
}

/** Whether a network error's code says that the caller itself was out of file descriptors. */
export function isOutOfDescriptors(code: string): boolean {
  return NO_DESCRIPTORS.has(code)
}

/** Errors that hold no others. */
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

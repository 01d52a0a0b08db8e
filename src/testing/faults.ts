import type { ServerResponse } from 'node:http'
import {
  encodeReply,
  type GatewayAnswer,
  isStatus,
  missingToken,
  refusal,
  sendHalf,
  serverError,
  tooLarge,
} from './gateway-answer.ts'
import { Failure, Reply } from './routes.ts'
import {
  expiredMessage,
  incompleteMessage,
  mismatchMessage,
  notYetCurrentMessage,
  type SignatureVerdict,
  toAmzDate,
} from './verify-signature.ts'

/** An answer of API Gateway's own, whatever the request's signature. */
type AnswerName =
  | 'missing-token'
  | 'incomplete-signature'
  /** Repeats what was signed, the session token included, where the request is signed well enough to tell. */
  | 'signature-mismatch'
  | 'signature-expired'
  | 'signature-not-yet-current'
  | 'invalid-token'
  | 'expired-token'
  /** No policy allows the call. */
  | 'access-denied'
  /** A resource policy forbids the call. */
  | 'access-denied-explicit'
  /** A firewall, or a missing API key. */
  | 'forbidden'
  /** 429 for the rate. */
  | 'throttled'
  /** 429 for a usage plan's quota. */
  | 'quota'
  /** 504 */
  | 'integration-timeout'
  /** 502, a function's answer that is malformed. */
  | 'bad-gateway'
  /** 500 */
  | 'internal-error'
  /** 413 */
  | 'too-large'
  /** What an HTTP API says to a signature it refuses. */
  | 'http-api-forbidden'
  /** What an HTTP API says to a route it does not know. */
  | 'http-api-not-found'

/** What becomes of the connection in place of an answer. */
type BreakName =
  /** A reset once the head is there, the body unread. */
  | 'reset-before-read'
  /** A reset once the whole request is there. */
  | 'reset-after-read'
  /** A 200 whose body ends early, with the connection. */
  | 'half-answer'
  /** The request is read and never answered. */
  | 'hang'
  /** A 200 whose body stops half-way, the connection open. */
  | 'hang-in-body'

/** A fault by its name. */
export type FaultName = AnswerName | BreakName

/** Common to faults that are objects. */
interface CountedFault {
  /** Requests that are to fail, at least 1. Default: all, until the fault is healed. */
  readonly times?: number
}

/** A fault by its name, for some requests. */
interface NamedFault extends CountedFault {
  /** What happens in place of the route's answer. */
  readonly fault: FaultName
}

/** An answer of the integration's own: behind the signature's check, in place of the route's. */
interface StatusFault extends CountedFault {
  /** HTTP status, from 200 to 999. */
  readonly status: number
  /** JSON, unless it is text or bytes. Default: none. */
  readonly body?: unknown
  /** Beside `content-type` and `content-length`, or in their place. Default: none. */
  readonly headers?: Readonly<Record<string, string>>
}

/** The normal answer, later; the route's function runs at once. */
interface DelayFault extends CountedFault {
  /** Milliseconds that the answer is held back. */
  readonly delay: number
}

/**
 * How a route fails, for `times` requests, as their heads arrive, or until it is healed. Like a route's own answer, it may
 * be a `fail`: `fail('timeout')` is a `hang`, `fail('network')` a `reset-after-read`.
 */
export type Fault = FaultName | NamedFault | StatusFault | DelayFault | Failure

/** What an answer may depend on. */
interface FaultedRequest {
  readonly method: string
  readonly service: string
  readonly path: string
  readonly region: string
  readonly authorization: string
  readonly signature: SignatureVerdict
  readonly now: number
}

/** What the gateway does about a fault. */
export type Effect =
  | { readonly kind: 'answer'; readonly answer: (request: FaultedRequest) => GatewayAnswer }
  | { readonly kind: 'route'; readonly reply: Reply }
  | { readonly kind: 'delay'; readonly delay: number }
  | ({ readonly kind: 'break' } & Break)

/** What becomes of a connection. */
export interface Break {
  readonly readsBody: boolean
  /** What goes out; 0 for nothing. */
  readonly status: number
  readonly act: (response: ServerResponse, now: number) => void
}

/** Well past the gateway's window, either way. */
const CLOCK_OFFSET_MS = 900_000

/** The longest that a timer can wait. */
const MAX_DELAY = 2_147_483_647

const ANSWERS: Readonly<Record<AnswerName, (request: FaultedRequest) => GatewayAnswer>> = {
  'missing-token': missingToken,
  'incomplete-signature': ({ authorization }) =>
    refusal('IncompleteSignatureException', incompleteMessage(authorization)),
  'signature-mismatch': ({ signature }) =>
    refusal('InvalidSignatureException', mismatchMessage(signature.canonicalRequest, signature.stringToSign)),
  'signature-expired': ({ now }) =>
    refusal('InvalidSignatureException', expiredMessage(toAmzDate(now - CLOCK_OFFSET_MS), now)),
  'signature-not-yet-current': ({ now }) =>
    refusal('InvalidSignatureException', notYetCurrentMessage(toAmzDate(now + CLOCK_OFFSET_MS), now)),
  'invalid-token': () =>
    refusal('UnrecognizedClientException', 'The security token included in the request is invalid.'),
  'expired-token': () => refusal('ExpiredTokenException', 'The security token included in the request is expired'),
  'access-denied': (request) =>
    accessDenied(request, 'because no identity-based policy allows the execute-api:Invoke action'),
  'access-denied-explicit': (request) => accessDenied(request, 'with an explicit deny in a resource-based policy'),
  forbidden: () => refusal('ForbiddenException', 'Forbidden'),
  throttled: () => refusal('TooManyRequestsException', 'Too Many Requests', 429),
  quota: () => refusal('LimitExceededException', 'Limit Exceeded', 429),
  'integration-timeout': () => serverError(504, 'Endpoint request timed out'),
  'bad-gateway': () => serverError(502),
  'internal-error': () => serverError(500),
  'too-large': tooLarge,
  'http-api-forbidden': () => httpApi(403, 'Forbidden'),
  'http-api-not-found': () => httpApi(404, 'Not Found'),
}

const BREAKS: Readonly<Record<BreakName, Break>> = {
  'reset-before-read': { readsBody: false, status: 0, act: reset },
  'reset-after-read': { readsBody: true, status: 0, act: reset },
  'half-answer': {
    readsBody: true,
    status: 200,
    act: (response, now) => sendHalf(response, halfAnswer(), now, () => response.destroy()),
  },
  hang: { readsBody: true, status: 0, act: () => {} },
  'hang-in-body': {
    readsBody: true,
    status: 200,
    act: (response, now) => sendHalf(response, halfAnswer(), now, () => {}),
  },
}

export const FAULT_NAMES: readonly string[] = [...Object.keys(ANSWERS), ...Object.keys(BREAKS)]

/** How a connection fails for a route that answers nothing. */
export function breakOf({ kind }: Failure): Break {
  return BREAKS[kind === 'timeout' ? 'hang' : 'reset-after-read']
}

/** What may stand beside the member that says which kind of fault it is. */
const MEMBERS = { fault: ['times'], status: ['body', 'headers', 'times'], delay: ['times'] } as const

/** Checks a fault once. @throws TypeError naming what is wrong with it */
export function parseFault(fault: Fault): { readonly effect: Effect; readonly times: number } {
  if (fault instanceof Failure) {
    return { effect: { kind: 'break', ...breakOf(fault) }, times: Number.POSITIVE_INFINITY }
  }
  const given: Record<string, unknown> = typeof fault === 'string' ? { fault } : { ...fault }
  const kind = (['fault', 'status', 'delay'] as const).find((name) => given[name] !== undefined)
  if (kind === undefined) throw new TypeError("A fault must be a name, or have 'fault', 'status' or 'delay'")
  const allowed: readonly string[] = [kind, ...MEMBERS[kind]]
  const stray = Object.keys(given).find((name) => given[name] !== undefined && !allowed.includes(name))
  if (stray !== undefined) throw new TypeError(`A fault with '${kind}' cannot have '${stray}'`)
  const times = given.times ?? Number.POSITIVE_INFINITY
  if (given.times !== undefined && !(Number.isSafeInteger(times) && (times as number) >= 1)) {
    throw new TypeError(`A fault's 'times' must be a whole number of at least 1, not ${show(times)}`)
  }
  return { effect: PARSERS[kind](given), times: times as number }
}

const PARSERS: Readonly<Record<keyof typeof MEMBERS, (given: Record<string, unknown>) => Effect>> = {
  fault: ({ fault: name }) => {
    if (isNameIn(ANSWERS, name)) return { kind: 'answer', answer: ANSWERS[name] }
    if (isNameIn(BREAKS, name)) return { kind: 'break', ...BREAKS[name] }
    throw new TypeError(`Unknown fault ${show(name)}: it must be one of ${FAULT_NAMES.join(', ')}`)
  },
  status: ({ status, body, headers = {} }) => {
    if (!isStatus(status)) {
      throw new TypeError(`A fault's 'status' must be a whole number from 200 to 999, not ${show(status)}`)
    }
    const reply = new Reply(status, body, headers as Record<string, string>)
    encodeReply(reply)
    return { kind: 'route', reply }
  },
  delay: ({ delay }) => {
    if (typeof delay !== 'number' || !(delay >= 0 && delay <= MAX_DELAY)) {
      throw new TypeError(`A fault's 'delay' must be milliseconds from 0 to ${MAX_DELAY}, not ${show(delay)}`)
    }
    return { kind: 'delay', delay }
  },
}

function isNameIn<Name extends string>(table: Readonly<Record<Name, unknown>>, name: unknown): name is Name {
  return typeof name === 'string' && Object.hasOwn(table, name)
}

function show(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}

/** With a capital M, unlike every other refusal, and with all but the last digits of the account hidden. */
function accessDenied({ method, service, path, region }: FaultedRequest, reason: string): GatewayAnswer {
  const user = 'arn:aws:sts::123456789012:assumed-role/caller/fn'
  const resource = `arn:aws:execute-api:${region}:********9012:${service}/prod/${method}${path}`
  const Message = `User: ${user} is not authorized to perform: execute-api:Invoke on resource: ${resource} ${reason}`
  return encodeReply(new Reply(403, { Message }, { 'x-amzn-ErrorType': 'AccessDeniedException' }))
}

function httpApi(status: number, message: string): GatewayAnswer {
  return { ...encodeReply(new Reply(status, { message }, {})), api: 'http' }
}

function halfAnswer(): GatewayAnswer {
  return encodeReply(new Reply(200, '{"items":[1,2,', { 'content-type': 'application/json' }))
}

/** A real reset, where an end of the stream might pass for an orderly close. */
function reset(response: ServerResponse): void {
  response.req.socket.resetAndDestroy()
}

import {
  encodeReply,
  type GatewayAnswer,
  isStatus,
  missingToken,
  refusal,
  serverError,
  tooLarge,
} from './gateway-answer.ts'
import { Reply } from './reply.ts'
import {
  expiredMessage,
  incompleteMessage,
  mismatchMessage,
  notYetCurrentMessage,
  type SignatureVerdict,
  toAmzDate,
} from './verify-signature.ts'

/** Responses of API Gateway's own, whatever the request's signature. */
const ANSWER_NAMES = [
  'missing-token',
  'incomplete-signature',
  // Repeats what was signed, the session token included, where the request is signed well enough to tell.
  'signature-mismatch',
  'signature-expired',
  'signature-not-yet-current',
  'invalid-token',
  'expired-token',
  // No policy allows the call.
  'access-denied',
  // A resource policy forbids the call.
  'access-denied-explicit',
  // A firewall, or a missing API key.
  'forbidden',
  // 429 for the rate.
  'throttled',
  // 429 for a usage plan's quota.
  'quota',
  // 504
  'integration-timeout',
  // 502, a function's response that is malformed.
  'bad-gateway',
  // 500
  'internal-error',
  // 413
  'too-large',
  // What an HTTP API says to a signature it refuses.
  'http-api-forbidden',
  // What an HTTP API says to a route it does not know.
  'http-api-not-found',
] as const

/** What becomes of the connection in place of a response. */
const BREAK_NAMES = [
  // A reset once the head is there, the body unread.
  'reset-before-read',
  // A reset once the whole request is there.
  'reset-after-read',
  // Another name for it.
  'network',
  // A 200 whose body ends early, with the connection.
  'half-answer',
  // The request is read and never answered.
  'hang',
  // Another name for it.
  'timeout',
  // A 200 whose body stops half-way, the connection open.
  'hang-in-body',
] as const

export const FAULT_NAMES: readonly [...typeof ANSWER_NAMES, ...typeof BREAK_NAMES] = [...ANSWER_NAMES, ...BREAK_NAMES]

type AnswerName = (typeof ANSWER_NAMES)[number]
type BreakName = (typeof BREAK_NAMES)[number]

/**
 * A fault by its name: a response of API Gateway's own, or what becomes of the connection. `network` is another name for
 * `reset-after-read`, and `timeout` for `hang`.
 */
// By its list, so that the compiler's messages show the names.
export type FaultName = (typeof FAULT_NAMES)[number]

/** What a route answers in place of a response; made with `fail`. */
export class Failure {
  /** What happens. */
  readonly fault: FaultName

  constructor(fault: FaultName) {
    this.fault = fault
  }
}

/**
 * Answers with a fault in place of a response, in `mockServices` and in the local gateway.
 *
 * In `mockServices`, `hang`, `hang-in-body` and `timeout` fail at once with a `ServiceTimeoutError`. As a route's answer,
 * `reset-before-read` is the same as `reset-after-read`, because the request has been read by then.
 *
 * @param name A refusal or failure of API Gateway's own, or a connection that breaks or hangs.
 * @throws TypeError for a name that is no fault's
 */
export function fail(name: FaultName): Failure {
  effectOf(name)
  return new Failure(name)
}

/** Common to faults that are objects. */
interface CountedFault {
  /** Requests that are to fail, at least 1. Default: all, until the fault is healed. */
  readonly times?: number
}

/** A fault by its name, for some requests. */
interface NamedFault extends CountedFault {
  /** What happens in place of the route's response. */
  readonly fault: FaultName
}

/** A response of the integration's own: after the signature's check, in place of the route's. */
interface StatusFault extends CountedFault {
  /** HTTP status, from 200 to 999. */
  readonly status: number
  /** JSON, unless it is text or bytes; not a stream. Default: none. */
  readonly body?: unknown
  /** Sent beside `content-type` and `content-length`, or in their place. Default: none. */
  readonly headers?: Readonly<Record<string, string>>
}

/** The normal response, later; the route's function runs at once. */
interface DelayFault extends CountedFault {
  /** Milliseconds that the response is held back. */
  readonly delay: number
}

/**
 * How a route fails, for `times` requests, counted as their heads arrive, or until it is healed. It may be a `fail(name)`,
 * as a route's own answer.
 */
export type Fault = FaultName | NamedFault | StatusFault | DelayFault | Failure

/** What a response of the gateway's own may depend on. */
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
  | NamedEffect
  | { readonly kind: 'route'; readonly reply: Reply }
  | { readonly kind: 'delay'; readonly delay: number }

/** The same for a fault that has a name. */
export type NamedEffect =
  | { readonly kind: 'answer'; readonly answer: (request: FaultedRequest) => GatewayAnswer }
  | ({ readonly kind: 'break' } & Break)

/** What becomes of a connection. */
export interface Break {
  readonly readsBody: boolean
  /** Whether half a response goes out first. */
  readonly sendsHalf: boolean
  readonly end: 'reset' | 'hang'
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

const RESET: Break = { readsBody: true, sendsHalf: false, end: 'reset' }
const HANG: Break = { readsBody: true, sendsHalf: false, end: 'hang' }

const BREAKS: Readonly<Record<BreakName, Break>> = {
  'reset-before-read': { ...RESET, readsBody: false },
  'reset-after-read': RESET,
  network: RESET,
  'half-answer': { ...RESET, sendsHalf: true },
  hang: HANG,
  timeout: HANG,
  'hang-in-body': { ...HANG, sendsHalf: true },
}

/** What goes out of a response that breaks half-way. It promises as much again. */
export const HALF_ANSWER: GatewayAnswer & { readonly payload: string } = {
  status: 200,
  payload: '{"items":[1,2,',
  headers: { 'content-type': 'application/json', 'content-length': '28' },
}

/** What a name stands for. @throws TypeError for a name that is no fault's */
export function effectOf(name: unknown): NamedEffect {
  if (isNameIn(ANSWERS, name)) return { kind: 'answer', answer: ANSWERS[name] }
  if (isNameIn(BREAKS, name)) return { kind: 'break', ...BREAKS[name] }
  throw new TypeError(`Unknown fault ${show(name)}: it must be one of ${FAULT_NAMES.join(', ')}`)
}

/** What may stand beside the member that says which kind of fault it is. */
const MEMBERS = { fault: ['times'], status: ['body', 'headers', 'times'], delay: ['times'] } as const

/** Checks a fault once. @throws TypeError naming what is wrong with it */
export function parseFault(fault: Fault): { readonly effect: Effect; readonly times: number } {
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
  fault: ({ fault }) => effectOf(fault),
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

export function show(value: unknown): string {
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

import { MAX_TIMER_MS } from '../config/index.ts'
import {
  encodeReply,
  type GatewayResponse,
  isStatus,
  missingToken,
  rejection,
  serverError,
  tooLarge,
} from './gateway-response.ts'
import { Reply } from './reply.ts'
import {
  expiredMessage,
  incompleteMessage,
  mismatchMessage,
  notYetCurrentMessage,
  type SignatureVerdict,
  toAmzDate,
} from './verify-signature.ts'

/** Responses of API Gateway itself. The request's signature makes no difference. */
const ANSWER_NAMES = [
  'missing-token',
  'incomplete-signature',
  // Repeats the canonical request, with the session token, if the request is signed well enough to compute it.
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
  // 429 for the rate limit.
  'throttled',
  // 429 for a usage plan's quota.
  'quota',
  // 504
  'integration-timeout',
  // 502 for a malformed response of the function.
  'bad-gateway',
  // 500
  'internal-error',
  // 413
  'too-large',
  // The response of an HTTP API to an invalid signature.
  'http-api-forbidden',
  // The response of an HTTP API to an unknown route.
  'http-api-not-found',
] as const

/** Failures of the connection instead of a response. */
const BREAK_NAMES = [
  // A reset after the request's head has arrived, before its body is read.
  'reset-before-read',
  // A reset after the whole request has arrived.
  'reset-after-read',
  // Another name for `reset-after-read`.
  'network',
  // A 200 whose connection is reset in the middle of the body.
  'half-answer',
  // The request is read, but no response is sent.
  'hang',
  // Another name for `hang`.
  'timeout',
  // A 200 whose body stops in the middle. The connection stays open.
  'hang-in-body',
] as const

export const FAULT_NAMES: readonly [...typeof ANSWER_NAMES, ...typeof BREAK_NAMES] = [...ANSWER_NAMES, ...BREAK_NAMES]

type AnswerName = (typeof ANSWER_NAMES)[number]
type BreakName = (typeof BREAK_NAMES)[number]

/**
 * Name of a fault: a response of API Gateway itself, or a failure of the connection. `network` is another name for
 * `reset-after-read`, and `timeout` for `hang`.
 */
// Derived from the list, so that compiler messages show the names.
export type FaultName = (typeof FAULT_NAMES)[number]

/** A fault as the answer of a route. Create it with `fail`. */
export class Failure {
  /** Name of the fault. */
  readonly fault: FaultName

  constructor(fault: FaultName) {
    this.fault = fault
  }
}

/**
 * Makes a route of `mockServices` or of the local gateway fail instead of responding.
 *
 * In `mockServices`, calls fail at once with a `ServiceTimeoutError` for `hang`, `hang-in-body` and `timeout`. As the
 * answer of a route, `reset-before-read` equals `reset-after-read`, because the request has already been read.
 *
 * @param name A response of API Gateway itself, or a connection that breaks or hangs.
 * @throws TypeError for an unknown name
 */
export function fail(name: FaultName): Failure {
  effectOf(name)
  return new Failure(name)
}

/** Members of all faults that are objects. */
interface CountedFault {
  /** Number of requests that fail, at least 1. Default: all, until the fault is removed. */
  readonly times?: number
}

/** A named fault, optionally for a number of requests. */
interface NamedFault extends CountedFault {
  /** Name of the fault, which replaces the route's response. */
  readonly fault: FaultName
}

/** A response of the integration, which replaces the route's. It is sent after the signature has been verified. */
interface StatusFault extends CountedFault {
  /** HTTP status, from 200 to 999. */
  readonly status: number
  /** Sent as JSON. Text and bytes are sent as they are. A stream is not allowed. Default: none. */
  readonly body?: unknown
  /** Additional headers. They may replace `content-type` and `content-length`. Default: none. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Delays the route's response. The route's function runs at once. */
interface DelayFault extends CountedFault {
  /** Delay of the response, in milliseconds. */
  readonly delay: number
}

/**
 * How a route fails: for `times` requests, counted when their heads arrive, or until the fault is removed. `fail(name)`
 * is allowed, too, as in the answer of a route.
 */
export type Fault = FaultName | NamedFault | StatusFault | DelayFault | Failure

/** The members of a request that a response of the gateway depends on. */
interface FaultedRequest {
  readonly method: string
  readonly service: string
  readonly path: string
  readonly region: string
  readonly authorization: string
  readonly signature: SignatureVerdict
  readonly now: number
}

/** The effect of a fault. */
export type Effect =
  | NamedEffect
  | { readonly kind: 'route'; readonly reply: Reply }
  | { readonly kind: 'delay'; readonly delay: number }

/** The effect of a named fault. */
export type NamedEffect =
  | { readonly kind: 'answer'; readonly answer: (request: FaultedRequest) => GatewayResponse }
  | ({ readonly kind: 'break' } & Break)

/** How a connection fails. */
export interface Break {
  readonly readsBody: boolean
  /** Whether half a response is sent first. */
  readonly sendsHalf: boolean
  readonly end: 'reset' | 'hang'
}

/** Well outside the gateway's time window, in milliseconds. */
const CLOCK_OFFSET_MS = 900_000

const ANSWERS: Readonly<Record<AnswerName, (request: FaultedRequest) => GatewayResponse>> = {
  'missing-token': missingToken,
  'incomplete-signature': ({ authorization }) =>
    rejection('IncompleteSignatureException', incompleteMessage(authorization)),
  'signature-mismatch': ({ signature }) =>
    rejection('InvalidSignatureException', mismatchMessage(signature.canonicalRequest, signature.stringToSign)),
  'signature-expired': ({ now }) =>
    rejection('InvalidSignatureException', expiredMessage(toAmzDate(now - CLOCK_OFFSET_MS), now)),
  'signature-not-yet-current': ({ now }) =>
    rejection('InvalidSignatureException', notYetCurrentMessage(toAmzDate(now + CLOCK_OFFSET_MS), now)),
  'invalid-token': () =>
    rejection('UnrecognizedClientException', 'The security token included in the request is invalid.'),
  'expired-token': () => rejection('ExpiredTokenException', 'The security token included in the request is expired'),
  'access-denied': (request) =>
    accessDenied(request, 'because no identity-based policy allows the execute-api:Invoke action'),
  'access-denied-explicit': (request) => accessDenied(request, 'with an explicit deny in a resource-based policy'),
  forbidden: () => rejection('ForbiddenException', 'Forbidden'),
  throttled: () => rejection('TooManyRequestsException', 'Too Many Requests', 429),
  quota: () => rejection('LimitExceededException', 'Limit Exceeded', 429),
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

/** The sent half of a response that breaks. Its `content-length` is twice as long. */
export const HALF_ANSWER: GatewayResponse & { readonly payload: string } = {
  status: 200,
  payload: '{"items":[1,2,',
  headers: { 'content-type': 'application/json', 'content-length': '28' },
}

/** The effect of a name. @throws TypeError for an unknown name */
export function effectOf(name: unknown): NamedEffect {
  if (isNameIn(ANSWERS, name)) return { kind: 'answer', answer: ANSWERS[name] }
  if (isNameIn(BREAKS, name)) return { kind: 'break', ...BREAKS[name] }
  throw new TypeError(`Unknown fault ${show(name)}: it must be one of ${FAULT_NAMES.join(', ')}`)
}

/** The other members that each kind of fault may have. */
const MEMBERS = { fault: ['times'], status: ['body', 'headers', 'times'], delay: ['times'] } as const

/** Checks and parses a fault. @throws TypeError for an invalid fault */
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
    if (typeof delay !== 'number' || !(delay >= 0 && delay <= MAX_TIMER_MS)) {
      throw new TypeError(`A fault's 'delay' must be milliseconds from 0 to ${MAX_TIMER_MS}, not ${show(delay)}`)
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

/** In `Message`, unlike all other rejections, and with a masked account id, as API Gateway sends it. */
function accessDenied({ method, service, path, region }: FaultedRequest, reason: string): GatewayResponse {
  const user = 'arn:aws:sts::123456789012:assumed-role/caller/fn'
  const resource = `arn:aws:execute-api:${region}:********9012:${service}/prod/${method}${path}`
  const Message = `User: ${user} is not authorized to perform: execute-api:Invoke on resource: ${resource} ${reason}`
  return encodeReply(new Reply(403, { Message }, { 'x-amzn-ErrorType': 'AccessDeniedException' }))
}

function httpApi(status: number, message: string): GatewayResponse {
  return { ...encodeReply(new Reply(status, { message }, {})), api: 'http' }
}

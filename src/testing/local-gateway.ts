import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, isIPv6 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { toVariable } from '../config/index.ts'
import type { AwsCredentialIdentity } from '../signing/index.ts'
import { answerRoute, tellFailedRoute } from './answer-route.ts'
import { createFaultList } from './fault-list.ts'
import {
  type Break,
  type Effect,
  effectOf,
  Failure,
  type Fault,
  type FaultName,
  HALF_ANSWER,
  type NamedEffect,
  show,
} from './faults.ts'
import {
  encodeReply,
  type GatewayAnswer,
  MAX_BODY,
  missingToken,
  refusal,
  send,
  sendHalf,
  serverError,
  tooLarge,
} from './gateway-answer.ts'
import { locateRoute, parseJson, parseRoutes, type RouteRequest, type Routes, type ServiceRoutes } from './routes.ts'
import { toByteStream } from './stream-body.ts'
import { type ReceivedRequest, type SignatureVerdict, verifySignature } from './verify-signature.ts'

/** Options of `startLocalGateway`. */
export interface LocalGatewayOptions<R = Record<string, Routes>> {
  /**
   * Routes by service. A service whose URL the clients read from a variable of another name has that name beside its routes:
   * `{ billing: { env: 'BILLING_URL', 'GET /invoices': [] } }`.
   */
  readonly services: ServiceRoutes<R>
  /** The identity that may call. Default: one made up for this gateway, session token included. */
  readonly credentials?: AwsCredentialIdentity
  /**
   * AWS region that requests must be signed for.
   * @default 'us-east-1'
   */
  readonly region?: string
  /** The gateway's clock, in milliseconds since the epoch. Default: the machine's. */
  readonly now?: () => number
  /**
   * TCP port that takes the requests, from 0 to 65535; 0 stands for a free one.
   * @default 0
   */
  readonly port?: number
  /**
   * Host name or IP address to listen on. `0.0.0.0` listens on all addresses of the machine, as containers need; `url` then
   * has `127.0.0.1`. Over plain http, clients call other hosts than loopback ones only with `allowHttp: true`.
   * @default '127.0.0.1'
   */
  readonly host?: string
}

/** What the gateway saw of one request, and how it responded. */
export interface GatewayRequest extends Omit<RouteRequest, 'params'>, ReceivedRequest {
  /** Name of the service that was called: the first segment of the path. */
  readonly service: string
  /** What the signature is worth; of a request whose body a fault left unread, with an empty body. */
  readonly signature: SignatureVerdict
  /** HTTP status of the response; 0 where a fault let none out. */
  readonly status: number
  /**
   * What a route's function threw, or what is wrong with its answer; the caller gets a 502. For a stream, what it threw; the
   * caller gets half of the response.
   */
  readonly error?: unknown
  /** Milliseconds from the request's head to the head of the response. */
  readonly durationMs: number
}

/** A request before it is recorded. */
interface Seen extends Omit<GatewayRequest, 'status' | 'durationMs' | 'error'> {
  error?: unknown
}

/** A gateway that listens until it is closed. */
export interface LocalGateway {
  /** Where it listens: `http://127.0.0.1:<port>`, unless `host` says otherwise. */
  readonly url: string
  /** Variables that point the clients at it: URLs, region and credentials. */
  readonly env: Readonly<Record<string, string>>
  /** All requests since the start or the last `reset`, in the order of the responses. */
  readonly requests: readonly GatewayRequest[]
  /**
   * Makes a route fail; gives back a function that heals it. The route is a service and one of its routes, such as
   * `'ai GET /jobs/:id'`, or all of its routes, `'ai *'`, or every service's, `'*'`. The newest fault that fits wins until
   * it is used up or healed. What no route fits is refused as ever.
   *
   * @throws TypeError for a route that is not defined, or a fault that is none
   */
  // Not `Fault`, so that the compiler's messages show the names.
  readonly fail: (route: string, fault: FaultName | Exclude<Fault, FaultName>) => () => void
  /** Forgets all requests and faults. `requests` stays the same array. */
  readonly reset: () => void
  /** Ends it, with all its connections; does nothing the second time. */
  readonly close: () => Promise<void>
  /** The same as `close`, for `await using`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/**
 * An API Gateway with IAM authorization on loopback: verifies each request's signature from the bytes received, and
 * responds and refuses as API Gateway does. The console shows the errors of routes that fail.
 * @param options The routes, who may call them, and where to listen.
 * @throws TypeError by the promise, for a route that is not `METHOD /path`, and for an `env`, `port` or `host` that is none;
 * the system's error, such as `EADDRINUSE`, where it cannot listen
 */
export async function startLocalGateway<R extends object>(options: LocalGatewayOptions<R>): Promise<LocalGateway> {
  const { region = 'us-east-1', now = Date.now, port = 0, host = '127.0.0.1' } = options
  must(isPort(port), 'port', 'a whole number from 0 to 65535', port)
  must(isHost(host), 'host', 'a host name or an IP address', host)
  const identity = options.credentials ?? makeIdentity()
  const given = Object.entries<Routes>(options.services as Record<string, Routes>)
  const services = new Map(given.map(([name, routes]) => [name, parseRoutes(name, routes)]))
  const variables = given.map(([name, routes]) => [name, readVariable(name, routes)] as const)
  const requests: GatewayRequest[] = []
  const faults = createFaultList(services)

  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    const startedAt = performance.now()
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const { method, url: target, rawHeaders } = incoming as IncomingMessage & { method: string; url: string }
    const headers = incoming.headers as Record<string, string>
    const { service, route, head } = locateRoute(services, { method, target, headers })
    const fault = route && faults.take(service, route.key)
    const body = fault?.kind === 'break' && !fault.readsBody ? new Uint8Array() : await readBody(incoming)
    const received: ReceivedRequest = { method, target, rawHeaders, body }
    const request = { ...received, ...head, service, json: parseJson(body) }
    const signature = verifySignature(received, { credentials: [identity], region, now: now() })
    // A stream may still fail when the response has been recorded.
    const seen: Seen = { ...request, signature }
    // Before the response goes out: whoever has it may look here at once.
    const record = (status: number) =>
      requests.push(Object.assign(seen, { status, durationMs: performance.now() - startedAt }))
    const decide = async (): Promise<GatewayAnswer | Break> => {
      const { authorization = '' } = headers
      const actOn = (effect: NamedEffect) =>
        effect.kind === 'break' ? effect : effect.answer({ ...request, region, authorization, signature, now: now() })
      if (fault?.kind === 'break' || fault?.kind === 'answer') return actOn(fault)
      if (body.byteLength > MAX_BODY) return tooLarge()
      if (route === undefined) return missingToken()
      if (!signature.verified) return refusal(signature.errorType, signature.message)
      const note = (error: unknown) => {
        tellFailedRoute('startLocalGateway', service, route.key, error)
        seen.error = error
        return error
      }
      try {
        const answer = fault?.kind === 'route' ? fault.reply : route.answer
        const given = await answerRoute(answer, { ...request, params: route.params })
        if (given instanceof Failure) return actOn(effectOf(given.fault))
        return encodeReply(given, (stream) => toByteStream(stream, note))
      } catch (error) {
        note(error)
        // What API Gateway makes of an integration that throws, or that answers what cannot be sent.
        return serverError(502)
      }
    }
    const [answer, isInTime] = await Promise.all([decide(), waitOut(fault, gone.signal)])
    if ('end' in answer) {
      record(answer.sendsHalf ? HALF_ANSWER.status : 0)
      breakOff(response, answer, now())
    } else {
      record(isInTime ? answer.status : 0)
      send(response, answer, now())
    }
  }

  const server = createServer((incoming, response) => {
    // Stryker disable next-line ArrowFunction: what fails has lost its connection already.
    handle(incoming, response).catch(() => response.destroy())
  })
  // As API Gateway, it leaves idle connections open for longer than any test, and says nothing of when it will not.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  const url = urlOf(host, (server.address() as AddressInfo).port)
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return {
    url,
    env: {
      ...Object.fromEntries(variables.map(([name, variable]) => [variable, `${url}/${encodeURIComponent(name)}`])),
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: identity.accessKeyId,
      AWS_SECRET_ACCESS_KEY: identity.secretAccessKey,
      AWS_SESSION_TOKEN: identity.sessionToken ?? '',
    },
    requests,
    fail: faults.fail,
    reset: () => {
      requests.length = 0
      faults.clear()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function must(isRight: boolean, option: string, be: string, value: unknown): void {
  if (!isRight) throw new TypeError(`startLocalGateway: '${option}' must be ${be}, not ${show(value)}`)
}

function isPort(port: unknown): boolean {
  return Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535
}

function isHost(host: unknown): boolean {
  return typeof host === 'string' && (isIPv6(host) || /^[a-z\d.-]+$/i.test(host))
}

/** Hosts that stand for every address of the machine, and one of these. */
const ANY_ADDRESS: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/** Where clients find what listens on `host`. */
function urlOf(host: string, port: number): string {
  const name = ANY_ADDRESS.get(host) ?? host
  return `http://${isIPv6(name) ? `[${name}]` : name}:${port}`
}

/** The variable that the clients read a service's URL from. */
function readVariable(service: string, { env = toVariable(service) }: Routes): string {
  must(typeof env === 'string' && env !== '', `services.${service}.env`, 'the name of a variable', env)
  return env as string
}

function makeIdentity(): AwsCredentialIdentity {
  const random = () => randomUUID().replaceAll('-', '')
  return {
    accessKeyId: `ASIA${random().slice(0, 16).toUpperCase()}`,
    secretAccessKey: random(),
    sessionToken: `${random()}${random()}`,
  }
}

async function readBody(incoming: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Holds an answer back as a fault asks; false where the client was gone before. */
async function waitOut(fault: Effect | undefined, signal: AbortSignal): Promise<boolean> {
  if (fault?.kind !== 'delay') return true
  // Stryker disable next-line ArrowFunction: undefined would do as well.
  return sleep(fault.delay, true, { signal }).catch(() => false)
}

function breakOff(response: ServerResponse, { sendsHalf, end }: Break, now: number): void {
  if (sendsHalf) sendHalf(response, HALF_ANSWER, now, () => end === 'reset' && response.destroy())
  // A real reset, where an end of the stream might pass for an orderly close.
  else if (end === 'reset') response.req.socket.resetAndDestroy()
}

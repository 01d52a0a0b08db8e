import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, isIPv6 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { toVariable } from '../config/index.ts'
import type { AwsCredentialIdentity } from '../signing/index.ts'
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
  type GatewayResponse,
  MAX_BODY,
  missingToken,
  rejection,
  send,
  sendHalf,
  serverError,
  tooLarge,
} from './gateway-response.ts'
import {
  answerRoute,
  locateRoute,
  logFailedRoute,
  parseJson,
  parseRoutes,
  type RouteRequest,
  type Routes,
  type ServiceRoutes,
} from './routes.ts'
import { toByteStream } from './stream-body.ts'
import { type ReceivedRequest, type SignatureVerdict, verifySignature } from './verify-signature.ts'

/** Options of `startLocalGateway`. */
export interface LocalGatewayOptions<R = Record<string, Routes>> {
  /**
   * Routes by service. If the clients read a service's URL from a variable of another name, add the name to its routes:
   * `{ billing: { env: 'BILLING_URL', 'GET /invoices': [] } }`.
   */
  readonly services: ServiceRoutes<R>
  /** The identity that the gateway accepts. Default: a random one with a session token. */
  readonly credentials?: AwsCredentialIdentity
  /**
   * AWS region that requests must be signed for.
   * @default 'us-east-1'
   */
  readonly region?: string
  /** The gateway's clock, in milliseconds since the epoch. Default: the machine's clock. */
  readonly now?: () => number
  /**
   * TCP port to listen on, from 0 to 65535. 0 selects a free port for the requests.
   * @default 0
   */
  readonly port?: number
  /**
   * Host name or IP address to listen on. `0.0.0.0` listens on all addresses of the machine, for containers. `url` then
   * has `127.0.0.1`. Clients call a host other than loopback over plain http only with `allowHttp: true`.
   * @default '127.0.0.1'
   */
  readonly host?: string
}

/** Record of a request and its response. */
export interface GatewayRequest extends Omit<RouteRequest, 'params'>, ReceivedRequest {
  /** Name of the service that was called: the first segment of the path. */
  readonly service: string
  /** Result of the signature's verification. If a fault left the body unread, it is verified with an empty body. */
  readonly signature: SignatureVerdict
  /** HTTP status of the response. 0 if a fault prevented the response. */
  readonly status: number
  /**
   * Error of the route's function, or the error of an invalid answer. The client then gets a 502. For a stream, the
   * error of the stream. The client then gets a part of the response.
   */
  readonly error?: unknown
  /** Milliseconds from the request's head to the head of the response. */
  readonly durationMs: number
}

/** A request before it is recorded. */
interface PendingRecord extends Omit<GatewayRequest, 'status' | 'durationMs' | 'error'> {
  error?: unknown
}

/** A running gateway. */
export interface LocalGateway {
  /** Base URL of the gateway: `http://127.0.0.1:<port>`, unless `host` is set. */
  readonly url: string
  /** Environment variables for the clients: URLs, region and credentials. */
  readonly env: Readonly<Record<string, string>>
  /** All requests since the start or the last `reset`, in the order of the responses. */
  readonly requests: readonly GatewayRequest[]
  /**
   * Makes a route fail. Returns a function that removes the fault. The route is a service and one of its routes, such
   * as `'ai GET /jobs/:id'`, all routes of a service, `'ai *'`, or all routes, `'*'`. The newest fault that matches
   * applies until it is used up or removed. Faults do not apply to requests without a route.
   *
   * @throws TypeError for an unknown route or an invalid fault
   */
  // Not `Fault`, so that compiler messages show the names.
  readonly fail: (route: string, fault: FaultName | Exclude<Fault, FaultName>) => () => void
  /** Removes all recorded requests and all faults. `requests` stays the same array. */
  readonly reset: () => void
  /** Closes the gateway and its connections. A second call has no effect. */
  readonly close: () => Promise<void>
  /** The same as `close`, for `await using`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/**
 * Starts a local API Gateway with IAM authorization. It verifies each signature from the received bytes, and responds
 * and rejects as API Gateway does. The console shows errors of routes.
 * @param options Routes, accepted credentials, and address to listen on.
 * @throws TypeError as the promise's rejection, for a route that is not `METHOD /path` and for an invalid `env`, `port`
 * or `host`. An error of the operating system, such as `EADDRINUSE`, if the gateway cannot listen
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
    // Not frozen: a stream may still fail after the response has been recorded.
    const pending: PendingRecord = { ...request, signature }
    // Before the response is sent: a test may read the record as soon as it has the response.
    const record = (status: number) =>
      requests.push(Object.assign(pending, { status, durationMs: performance.now() - startedAt }))
    const decide = async (): Promise<GatewayResponse | Break> => {
      const { authorization = '' } = headers
      const actOn = (effect: NamedEffect) =>
        effect.kind === 'break' ? effect : effect.answer({ ...request, region, authorization, signature, now: now() })
      if (fault?.kind === 'break' || fault?.kind === 'answer') return actOn(fault)
      if (body.byteLength > MAX_BODY) return tooLarge()
      if (route === undefined) return missingToken()
      if (!signature.verified) return rejection(signature.errorType, signature.message)
      const note = (error: unknown) => {
        logFailedRoute('startLocalGateway', service, route.key, error)
        pending.error = error
        return error
      }
      try {
        const answer = fault?.kind === 'route' ? fault.reply : route.answer
        const given = await answerRoute(answer, { ...request, params: route.params })
        if (given instanceof Failure) return actOn(effectOf(given.fault))
        return encodeReply(given, (stream) => toByteStream(stream, note))
      } catch (error) {
        note(error)
        // API Gateway's response for an integration that throws or returns an invalid response.
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
    // Stryker disable next-line ArrowFunction: a request that fails here has already lost its connection.
    handle(incoming, response).catch(() => response.destroy())
  })
  // Like API Gateway, the server keeps idle connections open longer than any test runs, and sends no `keep-alive`
  // header.
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

function must(isValid: boolean, option: string, expected: string, value: unknown): void {
  if (!isValid) throw new TypeError(`startLocalGateway: '${option}' must be ${expected}, not ${show(value)}`)
}

function isPort(port: unknown): boolean {
  return Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535
}

function isHost(host: unknown): boolean {
  return typeof host === 'string' && (isIPv6(host) || /^[a-z\d.-]+$/i.test(host))
}

/** Hosts that mean every address of the machine, each with a loopback address. */
const ANY_ADDRESS: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/** The URL for clients of a server on `host`. */
function urlOf(host: string, port: number): string {
  const name = ANY_ADDRESS.get(host) ?? host
  return `http://${isIPv6(name) ? `[${name}]` : name}:${port}`
}

/** The variable from which the clients read a service's URL. */
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

/** Waits for the delay of a fault. False if the client has disconnected meanwhile. */
async function waitOut(fault: Effect | undefined, signal: AbortSignal): Promise<boolean> {
  if (fault?.kind !== 'delay') return true
  // Stryker disable next-line ArrowFunction: undefined would do as well.
  return sleep(fault.delay, true, { signal }).catch(() => false)
}

function breakOff(response: ServerResponse, { sendsHalf, end }: Break, now: number): void {
  if (sendsHalf) sendHalf(response, HALF_ANSWER, now, () => end === 'reset' && response.destroy())
  // A real reset: the client could mistake the end of the stream for an orderly close.
  else if (end === 'reset') response.req.socket.resetAndDestroy()
}

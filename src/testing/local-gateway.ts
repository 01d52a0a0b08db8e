import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AwsCredentialIdentity } from '../credentials.ts'
import { toVariable } from '../service-variable.ts'
import { createFaultList } from './fault-list.ts'
import type { Effect, Fault } from './faults.ts'
import {
  encodeReply,
  type GatewayAnswer,
  MAX_BODY,
  missingToken,
  refusal,
  send,
  serverError,
  tooLarge,
} from './gateway-answer.ts'
import { answerRoute, decodeSegment, findRoute, parseRoutes, type RouteRequest, type Routes } from './routes.ts'
import { type ReceivedRequest, type SignatureVerdict, verifySignature } from './verify-signature.ts'

export interface LocalGatewayOptions {
  /** Routes by service. */
  readonly services: Readonly<Record<string, Routes>>
  /** The identity that may call. Default: one made up for this gateway, session token included. */
  readonly credentials?: AwsCredentialIdentity
  /** @default 'us-east-1' */
  readonly region?: string
  /** The gateway's clock, in milliseconds since the epoch. Default: the machine's. */
  readonly now?: () => number
}

/** What the gateway saw of one request, and what it answered. */
export interface GatewayRequest extends Omit<RouteRequest, 'params'>, ReceivedRequest {
  readonly service: string
  /** What the signature is worth; of a request whose body a fault left unread, with an empty body. */
  readonly signature: SignatureVerdict
  /** 0 where a fault let none out. */
  readonly status: number
  /** Milliseconds from the request's head to the answer. */
  readonly durationMs: number
}

export interface LocalGateway {
  /** Where it listens, `http://127.0.0.1:<port>`. */
  readonly url: string
  /** Variables that point the clients at it: URLs, region and credentials. */
  readonly env: Readonly<Record<string, string>>
  /** Everything it was asked, in the order of the answers. */
  readonly requests: readonly GatewayRequest[]
  /**
   * Makes a route fail; gives back a function that heals it. The route is a service and one of its routes, such as
   * `'ai GET /jobs/:id'`, or all of its routes, `'ai *'`, or every service's, `'*'`. The newest fault that fits wins until
   * it is used up or healed. What no route fits is refused as ever.
   *
   * @throws TypeError for a route that is not defined, or a fault that is none
   */
  readonly fail: (route: string, fault: Fault) => () => void
  readonly close: () => Promise<void>
}

/**
 * An API Gateway with IAM authorization on loopback: verifies each request's signature from the bytes received, and
 * answers and refuses as API Gateway does.
 */
export async function startLocalGateway(options: LocalGatewayOptions): Promise<LocalGateway> {
  const { region = 'us-east-1', now = Date.now } = options
  const identity = options.credentials ?? makeIdentity()
  const services = new Map(Object.entries(options.services).map(([name, routes]) => [name, parseRoutes(name, routes)]))
  const requests: GatewayRequest[] = []
  const faults = createFaultList(services)

  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    const startedAt = performance.now()
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const { method = '', url: target = '', rawHeaders } = incoming
    const [rawPath = '', search = ''] = target.split(/\?(.*)/s)
    const [, rawService = '', ...segments] = rawPath.split('/')
    const service = decodeSegment(rawService)
    const route = findRoute(services.get(service) ?? [], method, `/${segments.join('/')}`)
    const fault = route && faults.take(service, route.key)
    const body = fault?.kind === 'break' && !fault.readsBody ? new Uint8Array() : await readBody(incoming)
    const received: ReceivedRequest = { method, target, rawHeaders, body }
    const request = {
      ...received,
      service,
      path: `/${segments.map(decodeSegment).join('/')}`,
      searchParams: Object.fromEntries(new URLSearchParams(search)),
      headers: incoming.headers as Record<string, string>,
      json: parseJson(body),
    }
    const signature = verifySignature(received, { credentials: [identity], region, now: now() })
    // Before the answer goes out: whoever has it may look here at once.
    const record = (status: number) =>
      requests.push({ ...request, signature, status, durationMs: performance.now() - startedAt })

    if (fault?.kind === 'break') {
      record(fault.status)
      fault.act(response, now())
      return
    }
    const decide = async (): Promise<GatewayAnswer> => {
      if (fault?.kind === 'answer') {
        const { authorization = '' } = incoming.headers
        return fault.answer({ ...request, region, authorization, signature, now: now() })
      }
      if (body.byteLength > MAX_BODY) return tooLarge()
      if (route === undefined) return missingToken()
      if (!signature.verified) return refusal(signature.errorType, signature.message)
      const answer = fault?.kind === 'route' ? fault.reply : route.answer
      // What API Gateway makes of an integration that throws, or that answers what cannot be sent.
      return answerRoute(answer, { ...request, params: route.params })
        .then(encodeReply)
        .catch(() => serverError(502))
    }
    const [answer, isInTime] = await Promise.all([decide(), waitOut(fault, gone.signal)])
    record(isInTime ? answer.status : 0)
    if (isInTime) send(response, answer, now())
  }

  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const urls = [...services.keys()].map((name) => [toVariable(name), `${url}/${encodeURIComponent(name)}`])
  return {
    url,
    env: {
      ...Object.fromEntries(urls),
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: identity.accessKeyId,
      AWS_SECRET_ACCESS_KEY: identity.secretAccessKey,
      AWS_SESSION_TOKEN: identity.sessionToken ?? '',
    },
    requests,
    fail: faults.fail,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
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

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString())
  } catch {
    return undefined
  }
}

/** Holds an answer back as a fault asks; false where the client was gone before. */
async function waitOut(fault: Effect | undefined, signal: AbortSignal): Promise<boolean> {
  if (fault?.kind !== 'delay') return true
  return sleep(fault.delay, true, { signal }).catch(() => false)
}

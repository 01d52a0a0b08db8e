import { randomUUID } from 'node:crypto'
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AwsCredentialIdentity } from '../credentials.ts'
import { toVariable } from '../service-variable.ts'
import { answerRoute, decodeSegment, findRoute, parseRoutes, Reply, type RouteRequest, type Routes } from './routes.ts'
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
  readonly signature: SignatureVerdict
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
  readonly close: () => Promise<void>
}

interface EncodedReply {
  readonly status: number
  readonly payload: string | Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

/** API Gateway's own limit of a request's payload, in bytes. */
const MAX_BODY = 10_485_760

/**
 * An API Gateway with IAM authorization on loopback: verifies each request's signature from the bytes received, and
 * answers and refuses as API Gateway does.
 */
export async function startLocalGateway(options: LocalGatewayOptions): Promise<LocalGateway> {
  const { region = 'us-east-1', now = Date.now } = options
  const identity = options.credentials ?? makeIdentity()
  const services = new Map(Object.entries(options.services).map(([name, routes]) => [name, parseRoutes(name, routes)]))
  const requests: GatewayRequest[] = []

  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    const startedAt = performance.now()
    const body = await readBody(incoming)
    const { method = '', url: target = '', rawHeaders } = incoming
    const received: ReceivedRequest = { method, target, rawHeaders, body }
    const [rawPath = '', search = ''] = target.split(/\?(.*)/s)
    const [, service = '', ...segments] = rawPath.split('/')
    const path = `/${segments.join('/')}`
    const request = {
      ...received,
      service: decodeSegment(service),
      path: path.split('/').map(decodeSegment).join('/'),
      searchParams: Object.fromEntries(new URLSearchParams(search)),
      headers: incoming.headers as Record<string, string>,
      json: parseJson(body),
    }
    const signature = verifySignature(received, { credentials: [identity], region, now: now() })
    const route = findRoute(services.get(request.service) ?? [], method, path)
    const answer =
      body.byteLength > MAX_BODY
        ? encodeReply(new Reply(413, `HTTP content length exceeded ${MAX_BODY} bytes.`, {}))
        : route === undefined
          ? refusal('MissingAuthenticationTokenException', 'Missing Authentication Token')
          : signature.verified
            ? await answerRoute(route.answer, { ...request, params: route.params })
                .then(encodeReply)
                .catch(internalError)
            : refusal(signature.errorType, signature.message)
    // Before the answer goes out: whoever has it may look here at once.
    requests.push({ ...request, signature, status: answer.status, durationMs: performance.now() - startedAt })
    send(response, answer, now())
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

function refusal(errorType: string, message: string, status = 403): EncodedReply {
  return encodeReply(new Reply(status, { message }, { 'x-amzn-ErrorType': errorType }))
}

/** What API Gateway makes of an integration that throws, or that answers what cannot be sent. */
function internalError(): EncodedReply {
  return refusal('InternalServerErrorException', 'Internal server error', 502)
}

/** An answer as bytes; fails for one that cannot be sent. */
function encodeReply({ status, body, headers }: Reply): EncodedReply {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const contentType = isRaw ? 'text/plain' : 'application/json'
  const payload = body === undefined ? '' : isRaw ? body : JSON.stringify(body)
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  }
  const ownHeaders =
    body === undefined ? {} : { 'content-type': contentType, 'content-length': String(Buffer.byteLength(payload)) }
  return { status, payload, headers: { ...ownHeaders, ...headers } }
}

function send(response: ServerResponse, { status, payload, headers }: EncodedReply, now: number): void {
  response.writeHead(status, {
    date: new Date(now).toUTCString(),
    'x-amzn-RequestId': randomUUID(),
    'x-amz-apigw-id': randomUUID().replaceAll('-', '').slice(0, 15),
    ...headers,
  })
  response.end(payload)
}

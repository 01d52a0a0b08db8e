// The module objects: tracers and mocks replace the member `request`.
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
// Imported, because fake timers replace the global function.
import { setImmediate } from 'node:timers'
import { toShowable } from '../errors/index.ts'
import type { IdleLimit } from './body-streams.ts'
import { ACCEPTED_CODINGS, decode } from './content-coding.ts'
import { createFreezeGuard } from './freeze-guard.ts'
import { KeepAlive } from './keep-alive.ts'
import {
  type BodyHold,
  ReceivedResponse,
  type ResponseLimits,
  type SizeLimit,
  type ToError,
} from './received-response.ts'

/** URL of a request in the parts that Node.js's client takes. */
export interface RequestAddress {
  readonly href: string
  /** `https:` or `http:` */
  readonly protocol: string
  readonly hostname: string
  /** Empty for the protocol's default port. */
  readonly port: string
  /** Sent as the header `Host`, from which Node.js takes the TLS server name. */
  readonly host: string
  /** Path and query, sent as they are. */
  readonly pathAndQuery: string
}

/** A request as it is sent. */
export interface WireRequest {
  readonly method: string
  readonly url: RequestAddress
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array<ArrayBuffer> | undefined
  /** The body as text, if the caller passed text: a mocked `fetch` in a test can read it. */
  readonly text?: string | undefined
}

export interface SendOptions {
  /** Ends request and response, which fail with its reason. */
  readonly signal: AbortSignal
  readonly toError: ToError
  readonly maxConnections?: number | undefined
  readonly idle?: IdleLimit | undefined
  readonly size?: SizeLimit | undefined
  readonly onRead?: (() => void) | undefined
}

/** Sends requests with Node.js's HTTP clients, and reuses connections after pauses and freezes. */
export interface NodeTransport {
  /** Waits, if needed, until the process has noticed closed connections. */
  readonly ready: () => Promise<void> | undefined
  /** Resolves when the response's head has arrived. Rejects with the signal's reason or an error of Node.js. */
  readonly send: (request: WireRequest, options: SendOptions) => Promise<ReceivedResponse>
}

/** Timeout of a connection in milliseconds, with the TLS handshake. */
const CONNECT_TIMEOUT_MS = 10_000

const NULL_BODY_STATUSES: readonly number[] = [204, 205, 304]

/** Default headers, as in `fetch`: a firewall may reject requests without a user agent. */
const DEFAULT_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['accept', '*/*'],
  ['accept-encoding', ACCEPTED_CODINGS],
  ['user-agent', 'middy-signed-services'],
]

/** `now` returns milliseconds since the epoch. */
export function createNodeTransport(now: () => number = Date.now): NodeTransport {
  const keepAlive = new KeepAlive(now)
  return {
    ready: createFreezeGuard(now),
    send: (request, options) =>
      new Promise((resolve, reject) => {
        const agent = keepAlive.agentFor(request.url.protocol, options.maxConnections)
        exchange(request, agent, options, resolve, reject)
      }),
  }
}

function exchange(
  { method, url, headers, body }: WireRequest,
  agent: http.Agent,
  { signal, ...limits }: SendOptions,
  resolve: (response: ReceivedResponse) => void,
  reject: (reason: unknown) => void,
): void {
  signal.throwIfAborted()
  const outgoing = (url.protocol === 'https:' ? https : http).request({
    method,
    protocol: url.protocol,
    hostname: withoutBrackets(url.hostname),
    port: url.port,
    path: url.pathAndQuery,
    headers: { host: url.host, ...completeHeaders(headers, body) },
    agent,
  })
  let incoming: IncomingMessage | undefined
  const abort = () => {
    // Rejects first: a request that waits for a connection emits no error before it gets one.
    reject(signal.reason)
    const exchanged = incoming ?? outgoing
    exchanged.destroy(toShowable(signal.reason) as Error)
  }
  const release = () => signal.removeEventListener('abort', abort)
  signal.addEventListener('abort', abort, { once: true })
  outgoing
    .on('socket', (socket) => limitConnecting(outgoing, socket, url))
    .on('response', (message) => {
      incoming = message
      // A service that responds early may never read the rest of the request. One turn later, because over TLS a response
      // may arrive before the request has emitted `finish`. A request that was sent as a whole ignores it.
      message.once('close', () => {
        if (!outgoing.writableFinished) setImmediate(() => outgoing.destroy())
      })
      try {
        resolve(toResponse(message, method, url, limits))
      } catch (error) {
        message.destroy()
        reject(error)
      }
    })
    .on('error', (error) => {
      release()
      reject(error)
    })
    .on('close', () => {
      release()
      // For example after a response that switches protocols.
      if (incoming === undefined) reject(networkError('ECONNRESET', 'the connection was closed without a response'))
    })
    .end(body)
}

export function withoutBrackets(hostname: string): string {
  return hostname.replace(/[[\]]/g, '')
}

function completeHeaders(headers: WireRequest['headers'], body: WireRequest['body']): Record<string, string> {
  const complete: Record<string, string> = { ...headers }
  for (const [name, value] of DEFAULT_HEADERS) complete[name] ??= value
  // A range counts encoded bytes, so the body must not be encoded.
  if (headers.range !== undefined && headers['accept-encoding'] === undefined) complete['accept-encoding'] = 'identity'
  if (body !== undefined) complete['content-length'] = String(body.byteLength)
  return complete
}

/** Ends an attempt to connect after its timeout. Node.js has no such timeout. */
function limitConnecting(outgoing: ClientRequest, socket: Socket, { protocol, host }: RequestAddress): void {
  if (!socket.connecting) return
  const expire = () => {
    const error = networkError('ETIMEDOUT', `no connection to ${host} within ${CONNECT_TIMEOUT_MS} ms`)
    outgoing.destroy(Object.assign(error, { syscall: 'connect' }))
  }
  const timer = setTimeout(expire, CONNECT_TIMEOUT_MS)
  const stop = () => clearTimeout(timer)
  socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', stop).once('close', stop)
}

/** Creates an error like those of Node.js's client. */
function networkError(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code })
}

function toResponse(
  message: IncomingMessage,
  method: string,
  url: RequestAddress,
  limits: ResponseLimits,
): ReceivedResponse {
  const { rawHeaders, statusMessage = '' } = message
  const status = message.statusCode as number
  const headers = new Headers()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] as string, rawHeaders[index + 1] as string)
  }
  const head = { status, statusText: statusMessage, headers, url: url.href }
  if (method === 'HEAD' || NULL_BODY_STATUSES.includes(status)) {
    // Node.js reads a body after a 205 although it must have none (RFC 9110, section 15.3.6).
    message.once('data', () => message.destroy())
    return new ReceivedResponse(head, null, limits)
  }
  const encoding = headers.get('content-encoding')
  const body = encoding === null ? message : decode(message, encoding)
  return new ReceivedResponse(head, body, { ...limits, hold: createHold(message) })
}

/** Lets a body keep the process alive until its message has ended. Then the connection may serve another request. */
function createHold(message: IncomingMessage): BodyHold {
  const { socket } = message
  message.once('end', () => socket.ref())
  return {
    ref: () => {
      if (!message.readableEnded) socket.ref()
    },
    unref: () => {
      if (!message.readableEnded) socket.unref()
    },
  }
}

// The module objects, because tracers and mocks replace their `request`.
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP, type Socket } from 'node:net'
// Imported, so that fake timers leave it alone.
import { setImmediate } from 'node:timers'
import { toShowable } from '../errors/index.ts'
import { ACCEPTED_CODINGS, decode } from './content-coding.ts'
import { createFreezeGuard } from './freeze-guard.ts'
import { KeepAlive } from './keep-alive.ts'
import {
  type BodyHold,
  type IdleLimit,
  ReceivedResponse,
  type ResponseLimits,
  type SizeLimit,
  type ToError,
} from './received-response.ts'

/** Where a request goes, and its request line. */
export interface RequestAddress {
  readonly href: string
  /** `https:` or `http:` */
  readonly protocol: string
  readonly hostname: string
  /** Empty for the protocol's own. */
  readonly port: string
  /** Sent as `Host`, and without its port as TLS server name. */
  readonly host: string
  /** Path and query, sent as they are. */
  readonly pathAndQuery: string
}

/** A request as it goes on the wire. */
export interface WireRequest {
  readonly method: string
  readonly url: RequestAddress
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array<ArrayBuffer> | undefined
  /** The same as a text, where it was one: tests read it where a `fetch` is given it. */
  readonly text?: string | undefined
}

export interface SendOptions {
  /** Ends request and response; both fail with its reason. */
  readonly signal: AbortSignal
  readonly toError: ToError
  readonly maxConnections?: number | undefined
  readonly idle?: IdleLimit | undefined
  readonly size?: SizeLimit | undefined
  readonly onRead?: (() => void) | undefined
}

/** Sends requests over Node.js's own clients, with connections that outlive pauses and freezes. */
export interface NodeTransport {
  /** Waits, where it must, until the process has seen which of its connections have ended. */
  readonly ready: () => Promise<void> | undefined
  /** Resolves with the response's head. Rejects with the signal's reason, or as Node.js's client fails. */
  readonly send: (request: WireRequest, options: SendOptions) => Promise<ReceivedResponse>
}

/** Milliseconds to make a connection, TLS handshake included. */
const CONNECT_TIMEOUT_MS = 10_000

const NULL_BODY_STATUSES: readonly number[] = [204, 205, 304]

/** Sent where the caller says nothing, as `fetch` does: firewalls may refuse requests without a user agent. */
const DEFAULT_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['accept', '*/*'],
  ['accept-encoding', ACCEPTED_CODINGS],
  ['user-agent', 'middy-signed-services'],
]

/** `now` gives milliseconds since the epoch. */
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
    servername: serverName(url.host),
    path: url.pathAndQuery,
    headers: { host: url.host, ...completeHeaders(headers, body) },
    agent,
  })
  let incoming: IncomingMessage | undefined
  let isSent = false
  const abort = () => {
    // A request that waits for a connection says nothing before it gets one.
    reject(signal.reason)
    const exchanged = incoming ?? outgoing
    exchanged.destroy(toShowable(signal.reason) as Error)
  }
  // A service that has answered early may never read the rest of the request. Asked a turn later: over TLS, a response may
  // come before the news that the request has gone out.
  const destroyUnsent = () => {
    if (!isSent) outgoing.destroy()
  }
  const release = () => signal.removeEventListener('abort', abort)
  signal.addEventListener('abort', abort, { once: true })
  outgoing
    .on('socket', (socket) => limitConnecting(outgoing, socket, url))
    .on('finish', () => {
      isSent = true
    })
    .on('response', (message) => {
      incoming = message
      message.once('close', () => {
        release()
        if (!isSent) setImmediate(destroyUnsent)
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
      // As after a response that switches protocols.
      if (incoming === undefined) reject(networkError('ECONNRESET', 'the connection was closed without a response'))
    })
    .end(body)
}

/** TLS servers are named by names alone (RFC 6066, section 3). */
export function serverName(host: string): string {
  const name = withoutBrackets(host.replace(/:\d+$/, ''))
  return isIP(name) === 0 ? name : ''
}

export function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '')
}

function completeHeaders(headers: WireRequest['headers'], body: WireRequest['body']): Record<string, string> {
  const complete: Record<string, string> = { ...headers }
  for (const [name, value] of DEFAULT_HEADERS) complete[name] ??= value
  // A range is one of the encoded bytes.
  if (headers.range !== undefined && headers['accept-encoding'] === undefined) complete['accept-encoding'] = 'identity'
  if (body !== undefined) complete['content-length'] = String(body.byteLength)
  return complete
}

/** Node.js itself waits for a connection as long as the operating system does. */
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

/** An error as Node.js's own client gives them. */
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
    // Node.js takes a body from a 205 all the same (RFC 9110, section 15.3.6).
    message.once('data', () => message.destroy())
    return new ReceivedResponse(head, null, limits)
  }
  const encoding = headers.get('content-encoding')
  const body = encoding === null ? message : decode(message, encoding)
  return new ReceivedResponse(head, body, { ...limits, hold: createHold(message) })
}

/** The body's hold on the process, until the message has ended: then its connection may serve another request. */
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

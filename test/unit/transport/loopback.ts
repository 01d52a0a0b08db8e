import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import https, { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { onTestFinished, vi } from 'vitest'
import type { ReceivedResponse, RequestAddress } from '../../../src/transport/index.ts'
import { createNodeTransport, type NodeTransport } from '../../../src/transport/node-transport.ts'
import { TLS_CERTIFICATE, TLS_KEY } from '../../support/tls-certificate.ts'

export type Respond = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

/** A request as a service got it. */
interface Seen {
  readonly method: string | undefined
  readonly target: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface Service {
  readonly url: string
  readonly seen: Seen[]
  readonly connections: Socket[]
  readonly live: () => Socket[]
}

export interface ServiceOptions {
  readonly host?: string
  readonly port?: number
  readonly isTls?: boolean
}

/** A service that keeps idle connections as they are, and notes what it gets. */
export async function startService(
  respond: Respond = (_, response) => response.end('{}'),
  { isTls = false, ...address }: ServiceOptions = {},
): Promise<Service> {
  const seen: Seen[] = []
  const listener: RequestListener = async (request, response) => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      // The client has gone.
      return
    }
    const { method, url: target, headers } = request
    const body = Buffer.concat(chunks)
    seen.push({ method, target, headers, body: body.toString('latin1') })
    respond(request, response, body)
  }
  const server = isTls ? createTlsServer({ key: TLS_KEY, cert: TLS_CERTIFICATE }, listener) : createServer(listener)
  server.keepAliveTimeout = 0
  return { seen, ...(await listen(server, isTls ? 'https' : 'http', address)) }
}

/** A service that responds with exactly these bytes to the first data on a connection. */
export function startRawService(answer: string | Buffer, then: (socket: Socket) => void = () => {}) {
  const server = createTcpServer((socket) => {
    socket
      .on('error', () => {})
      .once('data', () => {
        socket.write(answer)
        then(socket)
      })
  })
  return listen(server, 'http')
}

async function listen(server: Server, protocol: string, { host = '127.0.0.1', port = 0 }: ServiceOptions = {}) {
  const connections: Socket[] = []
  server.on('connection', (socket) => connections.push(socket))
  server.listen(port, host)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of connections) socket.destroy()
  })
  const address = server.address() as AddressInfo
  return {
    url: `${protocol}://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    connections,
    live: () => connections.filter(({ destroyed }) => !destroyed),
  }
}

/** A port of this machine on which nothing listens. */
export async function findClosedPort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Lets this process trust the certificate of TLS services. */
export function trustServices(): void {
  const { request } = https
  const spy = vi
    .spyOn(https, 'request')
    .mockImplementation(((options: object, callback?: never) =>
      request({ ...options, ca: TLS_CERTIFICATE }, callback)) as typeof request)
  onTestFinished(() => spy.mockRestore())
}

export function toTarget(url: string): RequestAddress {
  const { href, protocol, hostname, port, host } = new URL(url)
  return { href, protocol, hostname, port, host, pathAndQuery: url.replace(/^\w+:\/\/[^/]*/, '') || '/' }
}

export interface CallOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array<ArrayBuffer>
  readonly signal?: AbortSignal
  readonly maxConnections?: number
}

/** Sends a request, with the signal's reason as the error of a body that it ends. */
function send(transport: NodeTransport, url: string, options: CallOptions = {}): Promise<ReceivedResponse> {
  const { method = 'GET', headers = {}, body, signal = new AbortController().signal, maxConnections } = options
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const toError = (error: unknown) => (signal.aborted ? signal.reason : error)
  return transport.send({ method, url: toTarget(url), headers, body: bytes }, { signal, toError, maxConnections })
}

/** A transport whose time a test sets: as after a freeze, no timer has run for it. */
export function useTransport() {
  const clock = { now: 1_000_000_000 }
  const transport = createNodeTransport(() => clock.now)
  const call = async (url: string, options: CallOptions = { method: 'POST', body: '{}' }) => {
    const text = await (await send(transport, url, options)).text()
    await turn()
    return text
  }
  return { clock, transport, call, send: send.bind(undefined, transport) }
}

/** A connection is free again some turns of the event loop after its response. */
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10))

export function useAbort(reason: unknown = new Error('the reason')) {
  const controller = new AbortController()
  return { signal: controller.signal, reason, abort: () => controller.abort(reason) }
}

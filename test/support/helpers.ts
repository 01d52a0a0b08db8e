import dns from 'node:dns'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import aws4 from 'aws4'
import { onTestFinished, vi } from 'vitest'
import type { AwsCredentialIdentity } from '../../src/signing/credentials.ts'
import {
  type LocalGateway,
  type LocalGatewayOptions,
  type ReceivedRequest,
  startLocalGateway,
} from '../../src/testing/index.ts'

export const IDENTITY: AwsCredentialIdentity = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: 'FwoGZXIvYXdzEBYaDEXAMPLEtoken+/=',
}

export const TRACE_ID = 'Root=1-67f1a2b3-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1'

/** Sets variables until the test is over; undefined removes one. */
export function setEnv(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  onTestFinished(() => {
    vi.unstubAllEnvs()
  })
}

/** An empty folder for one test. */
export function useFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A local gateway for one test, with its variables in the environment. */
export async function useGateway(services: LocalGatewayOptions['services']): Promise<LocalGateway> {
  const gateway = await startLocalGateway({ services, credentials: IDENTITY })
  onTestFinished(gateway.close)
  setEnv(gateway.env)
  return gateway
}

export interface Answer {
  readonly status: number | undefined
  readonly errorType: unknown
  readonly headers: Record<string, unknown>
  readonly body: string
}

/** A raw request, without any client of the package. */
export function sendRaw(
  gateway: LocalGateway,
  path: string,
  options: { method?: string; headers?: object; body?: string | Uint8Array } = {},
): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = options
  return new Promise((resolve, reject) => {
    request(gateway.url + path, { method, headers: { ...headers } }, async (response) => {
      const chunks: Buffer[] = []
      try {
        for await (const chunk of response) chunks.push(chunk)
      } catch (error) {
        reject(error)
      }
      const { statusCode: status, headers: received } = response
      resolve({
        status,
        errorType: received['x-amzn-errortype'],
        headers: received,
        body: Buffer.concat(chunks).toString(),
      })
    })
      .on('error', reject)
      .end(body)
  })
}

/** Headers that another signer, aws4, writes. */
export function foreignHeaders(
  gateway: LocalGateway,
  path: string,
  extra: {
    identity?: object
    headers?: object
    region?: string
    service?: string
    method?: string
    body?: string
  } = {},
): object {
  const { identity = IDENTITY, headers = {}, region = 'us-east-1', service = 'execute-api', ...rest } = extra
  const { host } = new URL(gateway.url)
  return (
    aws4.sign({ host, path, region, service, headers: headers as Record<string, string>, ...rest }, identity as never)
      .headers ?? {}
  )
}

export interface Recorder {
  readonly url: string
  readonly requests: ReceivedRequest[]
  readonly close: () => Promise<void>
}

/** A server that records requests as they came off the wire, and responds with 200. */
export async function startRecorder(): Promise<Recorder> {
  const requests: ReceivedRequest[] = []
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const { method = '', url: target = '', rawHeaders } = incoming
    requests.push({ method, target, rawHeaders, body: Buffer.concat(chunks) })
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Has a server listen on loopback until the test is over; gives its port. */
export async function listen(server: Server, port = 0): Promise<number> {
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** A port of loopback that takes no connections. */
export async function findClosedPort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Gives host names addresses of their own until the test is over. */
export function resolveHosts(hosts: Readonly<Record<string, readonly string[]>>): void {
  const spy = vi.spyOn(dns, 'lookup').mockImplementation(((name: string, options: object, callback: LookupCallback) => {
    const found = hosts[name]?.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), {
      code: 'ENOTFOUND',
      syscall: 'getaddrinfo',
    })
    if (found === undefined) setImmediate(callback, error)
    else if ('all' in options && options.all) setImmediate(callback, null, found)
    else setImmediate(callback, null, found[0]?.address, found[0]?.family)
  }) as typeof dns.lookup)
  onTestFinished(() => spy.mockRestore())
}

type LookupCallback = (...args: readonly unknown[]) => void

/** What a promise rejects with; fails when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`resolved with ${String(value)}`)
    },
    (error: unknown) => error,
  )
}

/** A response of an in-memory transport. */
export function answer(
  body: ConstructorParameters<typeof Response>[0] = '{}',
  init: ResponseInit = {},
): Promise<Response> {
  return Promise.resolve(new Response(body, init))
}

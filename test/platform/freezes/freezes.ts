/** Freezes and thaws a process that calls a service, which ends idle connections meanwhile. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { TLS_CERTIFICATE, TLS_KEY } from '../../support/tls-certificate.ts'

export type Protocol = 'http' | 'https'

export interface Freezes {
  readonly rounds: number
  readonly requests: number
  readonly connections: number
  /** Idle connections that were ended during a freeze. */
  readonly ended: number
  /** Calls that failed, and requests that the service got never or twice. */
  readonly problems: readonly string[]
}

/** Milliseconds that a process stays frozen. */
const FROZEN_MS = 30

/** How idle connections end meanwhile: all of them, or the newest, which would be reused next. */
const FATES = ['left open', 'all closed', 'all reset', 'newest closed', 'newest reset'] as const

/** What happens to a frozen process; the thaw brings everything that came before it, in that order. */
const ORDERS = [
  ['invoke', 'end', 'thaw'],
  ['end', 'invoke', 'thaw'],
  ['end', 'thaw', 'invoke'],
] as const

export async function runFreezes(protocol: Protocol, rounds: number): Promise<Freezes> {
  const service = await startService(protocol)
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-freezes-'))
  const certificate = join(folder, 'certificate.pem')
  writeFileSync(certificate, TLS_CERTIFICATE)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), service.url], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    const answers = createInterface(child.stdout)[Symbol.asyncIterator]()
    const problems: string[] = []
    const settle = async (name: string) => {
      const { value = 'the process has ended' } = await answers.next()
      if (value !== 'ok') problems.push(`${name}: ${value}`)
    }
    let ended = 0
    const invoke = (round: number) => child.stdin.write(`${round}\n`)
    invoke(0)
    await settle('0, before the first freeze')
    for (let round = 1; round <= rounds; round += 1) {
      const fate = FATES[round % FATES.length] as (typeof FATES)[number]
      const order = ORDERS[Math.floor(round / FATES.length) % ORDERS.length] as (typeof ORDERS)[number]
      // In the turns after its last response, or when all of it is over.
      if (round % 2 === 0) await sleep(3)
      child.kill('SIGSTOP')
      await sleep(FROZEN_MS / 2)
      const steps = {
        invoke: () => invoke(round),
        end: () => {
          ended += service.end(fate)
        },
        thaw: async () => {
          await sleep(FROZEN_MS / 2)
          child.kill('SIGCONT')
        },
      }
      for (const step of order) await steps[step]()
      await settle(`${round}, ${fate}, ${order.join(', ')}`)
    }
    return {
      rounds,
      requests: service.requests.length,
      connections: service.connections(),
      ended,
      problems: [...problems, ...findMiscounts(service.requests, rounds)],
    }
  } finally {
    child.kill('SIGKILL')
    service.close()
    rmSync(folder, { recursive: true })
  }
}

/** The requests that have not arrived exactly once. */
function findMiscounts(requests: readonly string[], rounds: number): string[] {
  const counts = new Map<string, number>()
  for (let round = 0; round <= rounds; round += 1) {
    counts.set(`GET /${round}-get`, 0).set(`POST /${round}-post`, 0)
    if (round % 3 === 2) counts.set(`POST /${round}-second-post`, 0)
  }
  for (const request of requests) counts.set(request, (counts.get(request) ?? 0) + 1)
  return [...counts].flatMap(([request, count]) => (count === 1 ? [] : [`${request} arrived ${count} times`]))
}

async function startService(protocol: Protocol) {
  const requests: string[] = []
  const listener: RequestListener = async (request, response) => {
    // A request counts when all of it has arrived.
    for await (const _ of request);
    requests.push(`${request.method} ${request.url}`)
    response.end('{}')
  }
  const server =
    protocol === 'https' ? createTlsServer({ key: TLS_KEY, cert: TLS_CERTIFICATE }, listener) : createServer(listener)
  server.keepAliveTimeout = 0
  const sockets = new Set<Socket>()
  let connections = 0
  // Below TLS, as a load balancer ends a connection.
  server.on('connection', (socket: Socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `${protocol}://localhost:${(server.address() as AddressInfo).port}`,
    requests,
    connections: () => connections,
    close,
    /** Ends connections. Returns their number. */
    end: (fate: (typeof FATES)[number]) => {
      if (fate === 'left open') return 0
      const open = fate.startsWith('all') ? [...sockets] : [...sockets].slice(-1)
      for (const socket of open) {
        sockets.delete(socket)
        // No half-closed connections: bytes that arrive afterwards cause a reset, as with a server's kernel.
        if (fate.endsWith('closed')) socket.destroy()
        else socket.resetAndDestroy()
      }
      return open.length
    },
  }
}

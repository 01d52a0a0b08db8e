import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { startTlsService } from './connections/tls-service.ts'

/** Closes what tests have started. Several of them run at a time, where `onTestFinished` knows no test. */
const closers: (() => void)[] = []
afterAll(() => {
  for (const close of closers) close()
})

/** Runs a program in its own process, which must end by itself. */
async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const file = join(import.meta.dirname, 'connections', `${program}.ts`)
  const options = { env: { ...process.env, ...env }, timeout: 25_000 }
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args], options)
  return stdout.trim()
}

async function listen(server: Server): Promise<string> {
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

// Most of their time, these tests wait.
describe.concurrent('over TLS', () => {
  it.each(['h1', 'h2'] as const)('calls 6 s apart share a connection, %s', { timeout: 30_000 }, async (kind) => {
    const handshakes = async (client: string) => {
      const service = await startTlsService(kind)
      closers.push(service.close)
      await run('caller', [client, service.url, '6'], { NODE_EXTRA_CA_CERTS: service.certificate })
      expect(service.requests()).toBe(2)
      return service.handshakes()
    }
    expect(await Promise.all([handshakes('ours'), handshakes('plain')])).toEqual([1, 2])
  })

  it('an idle connection does not keep the process', { timeout: 30_000 }, async () => {
    const service = await startTlsService()
    closers.push(service.close)
    const startedAt = performance.now()
    await run('caller', ['ours', service.url], { NODE_EXTRA_CA_CERTS: service.certificate })
    expect(service.handshakes()).toBe(1)
    expect(performance.now() - startedAt).toBeLessThan(15_000)
  })
})

describe.concurrent('an unread response does not keep the process alive', () => {
  const BODIES: Readonly<Record<string, RequestListener>> = {
    'of 2 bytes': (_, response) => response.end('{}'),
    'of 64 KB': (_, response) => response.end('a'.repeat(65_536)),
    'of 5 MB': (_, response) => response.end('a'.repeat(5_000_000)),
    'without an end': (_, response) => response.write('{'),
    'of 5 MB, without an end': (_, response) => response.write('a'.repeat(5_000_000)),
  }

  it.each(Object.keys(BODIES).flatMap((name) => [[name, 'bounded'] as const, [name, 'unbounded'] as const]))(
    '%s, %s by a timeout',
    { timeout: 30_000 },
    async (name, bound) => {
      const url = await listen(createServer(BODIES[name]))
      const startedAt = performance.now()
      expect(await run('unread', [url, bound])).toBe('[false,false]')
      expect(performance.now() - startedAt).toBeLessThan(15_000)
    },
  )

  it('but the request does that gets its connection', { timeout: 30_000 }, async () => {
    let connections = 0
    const server = createServer((request, response) => {
      if (request.url === '/after-800-ms') setTimeout(() => response.end('late'), 800)
      else {
        response.flushHeaders()
        setTimeout(() => response.end('unread'), 100)
      }
    })
    server.on('connection', () => {
      connections += 1
    })
    const url = await listen(server)
    expect(await run('queued', [url])).toBe('late')
    expect(connections).toBe(1)
  })
})

it("calls go through the proxy that the process's environment names", async () => {
  const targets: (string | undefined)[] = []
  const url = await listen(createServer((_, response) => response.end('{}')))
  // A tunnel, or a request for the whole URL: that depends on Node's version.
  const proxy = createServer((request, response) => {
    targets.push(new URL(request.url ?? '').host)
    response.end('{}')
  })
  proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
    targets.push(request.url)
    const { hostname, port } = new URL(url)
    const upstream = connect(Number(port), hostname, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
    for (const end of [socket, upstream]) end.on('error', () => {})
    socket.pipe(upstream).pipe(socket)
    socket.on('close', () => upstream.destroy())
  })
  const address = await listen(proxy)
  const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: address, http_proxy: address, NO_PROXY: '', no_proxy: '' }
  await run('caller', ['ours', url], env)
  expect(targets).toEqual([new URL(url).host])
}, 30_000)

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startTlsService } from './connections/tls-service.ts'

/** Runs calls in a process of its own, which must end by itself. */
async function runCaller(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const file = join(import.meta.dirname, 'connections', 'caller.ts')
  await promisify(execFile)(process.execPath, [file, ...args], { env: { ...process.env, ...env }, timeout: 20_000 })
}

describe('over TLS', () => {
  it.each(['h1', 'h2'] as const)(
    "undici's transport serves calls 6 s and 25 s apart, %s",
    { timeout: 30_000 },
    async (kind) => {
      const service = await startTlsService(kind)
      onTestFinished(service.close)
      const startedAt = performance.now()
      await runCaller(['undici', service.url, '20', '6', '25', '31'], { NODE_EXTRA_CA_CERTS: service.certificate })
      expect([service.requests(), service.handshakes()]).toEqual([4, 2])
      // An idle connection keeps no process.
      expect(performance.now() - startedAt).toBeLessThan(15_000)
    },
  )

  it.each(['h1', 'h2'] as const)(
    'calls 6 s and 25 s apart share a connection, %s',
    { timeout: 30_000 },
    async (kind) => {
      const handshakes = async (client: string) => {
        const service = await startTlsService(kind)
        onTestFinished(service.close)
        await runCaller([client, service.url, '20', '6', '25'], { NODE_EXTRA_CA_CERTS: service.certificate })
        expect(service.requests()).toBe(3)
        return service.handshakes()
      }
      expect(await Promise.all([handshakes('ours'), handshakes('plain')])).toEqual([1, 3])
    },
  )

  it('an idle connection does not keep the process', { timeout: 30_000 }, async () => {
    const service = await startTlsService()
    onTestFinished(service.close)
    const startedAt = performance.now()
    await runCaller(['ours', service.url], { NODE_EXTRA_CA_CERTS: service.certificate })
    expect(service.handshakes()).toBe(1)
    expect(performance.now() - startedAt).toBeLessThan(15_000)
  })
})

it("an agent of ours stands back where Node's own proxy is on", async () => {
  const targets: (string | undefined)[] = []
  const service = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1')
  await once(service, 'listening')
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
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
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => {
    for (const server of [service, proxy]) {
      server.close()
      server.closeAllConnections()
    }
  })
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: address, http_proxy: address, NO_PROXY: '', no_proxy: '' }
  await runCaller(['ours', url], env)
  expect(targets).toEqual([new URL(url).host])
}, 30_000)

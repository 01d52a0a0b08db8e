import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLS_CERTIFICATE, TLS_KEY } from '../../support/tls-certificate.ts'

export interface TlsService {
  readonly url: string
  /** For a client's NODE_EXTRA_CA_CERTS. */
  readonly certificate: string
  readonly handshakes: () => number
  readonly requests: () => number
  readonly close: () => void
}

/** A service on loopback that, as API Gateway does, keeps idle connections for long and does not say for how long. */
export async function startTlsService(protocol: 'h1' | 'h2' = 'h1'): Promise<TlsService> {
  let handshakes = 0
  let requests = 0
  const answer = (_request: unknown, response: { end(body: string): void }) => {
    requests += 1
    response.end('{}')
  }
  const options = { key: TLS_KEY, cert: TLS_CERTIFICATE }
  const server =
    protocol === 'h1' ? createServer(options, answer) : createSecureServer({ ...options, allowHTTP1: true }, answer)
  Object.assign(server, { keepAliveTimeout: 0 })
  const sockets = new Set<{ destroy(): void }>()
  server.on('secureConnection', (socket) => {
    handshakes += 1
    sockets.add(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-tls-'))
  const certificate = join(folder, 'certificate.pem')
  writeFileSync(certificate, TLS_CERTIFICATE)
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    certificate,
    handshakes: () => handshakes,
    requests: () => requests,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      rmSync(folder, { recursive: true })
    },
  }
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** For `localhost`, valid until 2120, trusted by nobody but a process whose NODE_EXTRA_CA_CERTS names it. */
const cert = `-----BEGIN CERTIFICATE-----
MIIBYTCCAQegAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIM3hhlCkT3FRWJm
1JT0Fsz4JPA4WAgQWBBs3eNyL16UhrS55QtnZT79eCQjD95QaTT10QU7gJ5b2sWR
kp2Dg9qjSDBGMBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAPBgNVHRMBAf8EBTADAQH/
MB0GA1UdDgQWBBTG5FolMdqdFuRbqk1gW1rHU7cBVDAKBggqhkjOPQQDAgNIADBF
AiAStQluYsS+UfDD/oCaUBuKDlaml/TYvTpbNIV236K4ZwIhAJLZR6nN2yQrA9pj
oekgAgBl6T7ODGgSkgqK6i9lQNVz
-----END CERTIFICATE-----
`

const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2c/z3OxGUT21jso2
iVdABbqExoY0RE5OTH9XL5TQMXKhRANCAASDN4YZQpE9xUViZtSU9BbM+CTwOFgI
EFgQbN3jci9elIa0ueULZ2U+/XgkIw/eUGk09dEFO4CeW9rFkZKdg4Pa
-----END PRIVATE KEY-----
`

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
  const server =
    protocol === 'h1'
      ? createServer({ key, cert }, answer)
      : createSecureServer({ key, cert, allowHTTP1: true }, answer)
  Object.assign(server, { keepAliveTimeout: 0 })
  const sockets = new Set<{ destroy(): void }>()
  server.on('secureConnection', (socket) => {
    handshakes += 1
    sockets.add(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-tls-'))
  const certificate = join(folder, 'certificate.pem')
  writeFileSync(certificate, cert)
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

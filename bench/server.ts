/**
 * A service in its own process, so that its CPU time does not count for the client. It sends its base URL to its
 * parent. With the argument `tls`, it serves HTTPS. `localhost.pem` has its key and self-signed certificate, which were
 * made with `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost
 * -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.
 */
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { certificate } from './fixture.ts'

const BODY = JSON.stringify({ jobId: 'job-1', accepted: true })

const respond: RequestListener = (request, response) => {
  request.resume().on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY.length }).end(BODY)
  })
}

const isTls = process.argv[2] === 'tls'
const pem = isTls ? readFileSync(certificate) : ''
const server = isTls ? createTlsServer({ key: pem, cert: pem }, respond) : createServer(respond)
server.keepAliveTimeout = 0
// The default backlog of 511 drops some of 1,000 simultaneous connections. Their retransmission takes a second.
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.send?.(`${isTls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}/prod`)
})
process.on('disconnect', () => process.exit())

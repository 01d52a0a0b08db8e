/** A server in a process of its own, so that its CPU is not the clients': reads each request, answers with JSON. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const ANSWER = JSON.stringify({ jobId: 'job-1', accepted: true })

const server = createServer((incoming, response) => {
  incoming.resume().on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': ANSWER.length }).end(ANSWER)
  })
})
server.keepAliveTimeout = 0
// Room for all that connect at once.
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
  process.send?.((server.address() as AddressInfo).port),
)
// The end of its parent is its own.
process.on('disconnect', () => process.exit())

/**
 * Leaves a response unread on the only connection, for which another request waits: `queued.ts <url>`. The other request
 * keeps the process until it has its response.
 */
import { createNodeTransport } from '../../../src/transport/node-transport.ts'

const { protocol, hostname, port, host, origin } = new URL(process.argv[2] ?? '')
const transport = createNodeTransport()
const send = (target: string) =>
  transport.send(
    {
      method: 'GET',
      url: { href: origin + target, protocol, hostname, port, host, pathAndQuery: target },
      headers: {},
      body: undefined,
    },
    { signal: new AbortController().signal, toError: (error) => error, maxConnections: 1 },
  )

await send('/body-after-100-ms')
const waiting = send('/after-800-ms')
// Until the connection is handed over; a client's timeout does so.
setTimeout(() => {}, 400)
console.log(await (await waiting).text())

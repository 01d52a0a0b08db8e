import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'
import { TLS_CERTIFICATE, TLS_KEY } from '../../support/tls-certificate.ts'

/** What a service does to a connection, 30 ms after its response. */
export type End = 'destroy' | 'resetAndDestroy'

/** Nothing else can end a blocked thread. */
const PATIENCE_MS = 15_000

export interface ThreadService {
  readonly url: string
  /** The requests that have arrived. */
  readonly seen: () => Promise<string[]>
  /**
   * Blocks the event loop until so many responses have gone out, and their connections have ended. To this thread it is
   * what a freeze is: it learns of nothing.
   */
  readonly block: (count: number) => void
}

/** A service on its own thread, which responds while this one is blocked. */
export async function startThreadService(protocol: 'http' | 'https', end?: End): Promise<ThreadService> {
  const done = new Int32Array(new SharedArrayBuffer(4))
  const source = `
    const { createServer } = require('node:${protocol}')
    const { parentPort, workerData: { done, key, cert, end } } = require('node:worker_threads')
    const seen = []
    const sockets = new Map()
    const note = () => {
      Atomics.add(done, 0, 1)
      Atomics.notify(done, 0)
    }
    const server = createServer({ key, cert, keepAliveTimeout: 0 }, async (incoming, response) => {
      let body = ''
      for await (const chunk of incoming) body += chunk
      seen.push(incoming.method + ' ' + body)
      const socket = sockets.get(incoming.socket.remotePort)
      response.end('{}', () => {
        if (end) setTimeout(() => socket[end]().once('close', note), 30)
        else setTimeout(note, 5)
      })
    })
    // Without TLS's own end, as when a load balancer drops a connection.
    server.on('connection', (socket) => sockets.set(socket.remotePort, socket))
    server.listen(0, 'localhost', () => parentPort.postMessage(server.address().port))
    parentPort.on('message', () => parentPort.postMessage(seen))
  `
  const workerData = { done, key: TLS_KEY, cert: TLS_CERTIFICATE, end }
  const worker = new Worker(source, { eval: true, workerData })
  onTestFinished(async () => {
    await worker.terminate()
  })
  const [port] = await once(worker, 'message')
  return {
    url: `${protocol}://localhost:${port}`,
    seen: async () => {
      worker.postMessage('seen')
      return (await once(worker, 'message'))[0]
    },
    block: (count) => {
      const endsAt = performance.now() + PATIENCE_MS
      while (Atomics.load(done, 0) < count) {
        if (performance.now() > endsAt) throw new Error('the service has seen no request')
        Atomics.wait(done, 0, count - 1, 100)
      }
    },
  }
}

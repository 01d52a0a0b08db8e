/**
 * Counts TLS handshakes of calls with pauses, in real time (about 35 s). Fails if our calls after pauses of 6 s and 25
 * s use more than one connection, or if a call after a freeze of 31 s reuses a connection.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { startTlsService } from '../test/platform/connections/tls-service.ts'

type Client = 'middy-signed-services' | 'fetch'

const [client, url = ''] = process.argv.slice(2)
if (client === undefined) await measure()
else await serve(client as Client)

/** Calls the service for each message of the parent process. */
async function serve(client: Client): Promise<void> {
  const { createServices } = await import('../src/index.ts')
  const { ai } = createServices({
    services: { ai: { url, region: 'us-east-1', signingName: 'execute-api' } },
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
  })
  process.on('message', async () => {
    await (client === 'fetch' ? (await fetch(url)).json() : ai.get('').json())
    process.send?.('called')
  })
  process.send?.('ready')
}

async function measure(): Promise<void> {
  const [paused, frozen, fetchPaused, fetchFrozen] = await Promise.all([
    countHandshakes('middy-signed-services', callWithPauses),
    countHandshakes('middy-signed-services', callAcrossFreeze),
    countHandshakes('fetch', callWithPauses),
    countHandshakes('fetch', callAcrossFreeze),
  ])
  console.log(`Node.js ${process.version}: TLS handshakes of`)
  console.table({
    '3 calls, 6 s and 25 s apart': { 'middy-signed-services': paused, fetch: fetchPaused },
    '2 calls, frozen for 31 s between them': { 'middy-signed-services': frozen, fetch: fetchFrozen },
  })
  if (paused !== 1 || frozen !== 2) process.exitCode = 1
}

async function countHandshakes(client: Client, run: (process: ChildProcess) => Promise<void>): Promise<number> {
  const service = await startTlsService()
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: service.certificate }
  const child = fork(import.meta.filename, [client, service.url], { env })
  try {
    await once(child, 'message')
    await run(child)
    return service.handshakes()
  } finally {
    child.kill()
    service.close()
  }
}

async function callWithPauses(child: ChildProcess): Promise<void> {
  await call(child)
  await wait(6_000)
  await call(child)
  await wait(25_000)
  await call(child)
}

async function callAcrossFreeze(child: ChildProcess): Promise<void> {
  await call(child)
  child.kill('SIGSTOP')
  await wait(31_000)
  child.kill('SIGCONT')
  await call(child)
}

async function call(child: ChildProcess): Promise<void> {
  child.send('call')
  const [reply] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  if (reply !== 'called') throw new Error(`A client ended: ${reply}`)
}

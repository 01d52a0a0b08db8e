/**
 * Counts TLS handshakes of calls with pauses between them, as a service sees them, in real time: about 35 s.
 * Fails where calls 6 s and 25 s apart need more than one connection, or one that was frozen for over 30 s serves again.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { startTlsService } from '../test/platform/connections/tls-service.ts'

type Client = 'middy-signed-services' | 'middy-signed-services/undici' | 'fetch'

const [client, url = ''] = process.argv.slice(2)
if (client === undefined) await measure()
else await serve(client as Client)

/** Calls the service whenever the parent process says so. */
async function serve(client: Client): Promise<void> {
  const { createServices } = await import('../src/index.ts')
  const { ai } = createServices({
    services: { ai: { url, region: 'us-east-1', signingName: 'execute-api' } },
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
    ...(client === 'middy-signed-services/undici' && { fetch: (await import('../src/undici.ts')).fetch }),
  })
  process.on('message', async () => {
    await (client === 'fetch' ? (await fetch(url)).json() : ai.get('').json())
    process.send?.('called')
  })
  process.send?.('ready')
}

async function measure(): Promise<void> {
  const clients: readonly Client[] = ['middy-signed-services', 'middy-signed-services/undici', 'fetch']
  const countAll = async (run: (process: ChildProcess) => Promise<void>) => {
    const counts = await Promise.all(clients.map((client) => countHandshakes(client, run)))
    return Object.fromEntries(clients.map((client, index) => [client, counts[index]]))
  }
  const [kept, thawed] = await Promise.all([countAll(callWithPauses), countAll(callAcrossFreeze)])
  console.log(`Node.js ${process.version}: TLS handshakes of`)
  console.table({ '3 calls, 6 s and 25 s apart': kept, '2 calls, frozen for 31 s between them': thawed })
  const isKept = clients.every((client) => kept[client] === (client === 'fetch' ? 3 : 1))
  const isLeft = clients.every((client) => client === 'fetch' || thawed[client] === 2)
  if (!isKept || !isLeft) process.exitCode = 1
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
  const [answer] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  if (answer !== 'called') throw new Error(`A client ended: ${answer}`)
}

/** One contender in a process of its own, as in a function of its own: no other's types or garbage slow it down. */
import type { Body } from './fixture.ts'
import type { Contender, Round, Task } from './rounds.ts'
import { median, quantile } from './stats.ts'

const contender: Contender = JSON.parse(process.argv[2] as string)
const run = await prepare(contender)
process.on('message', async (task: Task) => process.send?.(await measure(run, task)))
process.on('disconnect', () => process.exit())
process.send?.('ready')

async function prepare(contender: Contender): Promise<() => unknown> {
  switch (contender.kind) {
    case 'call': {
      const { clients } = await import('./clients.ts')
      const call: (body?: Body) => Promise<unknown> = await clients[contender.client]()
      const body = contender.size === undefined ? undefined : new Uint8Array(contender.size).fill(120)
      return () => call(body)
    }
    case 'signing': {
      const { signers } = await import('./signing.ts')
      return signers[contender.signer](new Uint8Array(contender.size).fill(120))
    }
    case 'invocation':
      return (await import('./handlers.ts')).createInvocation(contender)
    case 'setup':
      return (await import('./handlers.ts')).createSetup(contender)
  }
}

async function measure(run: () => unknown, { count, concurrency = 1 }: Task): Promise<Round> {
  const times: number[] = []
  const isCall = contender.kind === 'call'
  const lane = async () => {
    for (let left = count / concurrency; left > 0; left -= 1) {
      // Two looks at the clock are nothing beside a call, but something beside an invocation.
      if (isCall) times.push(await time(run))
      else await run()
    }
  }
  const heapBefore = collectGarbage()
  const start = performance.now()
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: concurrency }, lane))
  const { user, system } = process.cpuUsage(before)
  const wall = (performance.now() - start) * 1000
  const bytes = (process.memoryUsage().heapUsed - heapBefore) / count
  return {
    cpu: (user + system) / count,
    latency: isCall ? median(times) : wall / count,
    p99: isCall ? quantile(times, 0.99) : Number.NaN,
    wall,
    bytes,
  }
}

async function time(run: () => unknown): Promise<number> {
  const start = performance.now()
  await run()
  return (performance.now() - start) * 1000
}

/** Only with `--expose-gc`, where bytes are counted. */
function collectGarbage(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

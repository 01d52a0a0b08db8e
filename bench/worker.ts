/** One contender in its own process, so that types and garbage of another do not slow it down. */
import type { ClientName } from './clients.ts'
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
      const call = await loadClient(contender.client)
      const body = contender.size === undefined ? undefined : new Uint8Array(contender.size).fill(120)
      return () => call(body)
    }
    case 'memory': {
      const call = await loadClient(contender.client)
      const send = (size: number) => call(contender.isText ? 'x'.repeat(size) : new Uint8Array(size).fill(120))
      // Loads modules that only the first call loads.
      await send(2)
      return () => send(contender.size)
    }
    case 'signing': {
      const { signers } = await import('./signing.ts')
      return signers[contender.signer](new Uint8Array(contender.size).fill(120))
    }
    case 'invocation':
      return (await import('./handlers.ts')).createInvocation(contender.services)
    case 'setup':
      return (await import('./handlers.ts')).createSetup(contender.services)
  }
}

async function loadClient(name: ClientName): Promise<(body?: Body) => Promise<unknown>> {
  return (await import('./clients.ts')).clients[name]()
}

async function measure(run: () => unknown, { count, concurrency = 1 }: Task): Promise<Round> {
  const times: number[] = []
  const isCall = contender.kind === 'call'
  const lane = async () => {
    for (let left = count / concurrency; left > 0; left -= 1) {
      // Two clock readings cost little compared with a call, but much compared with an invocation.
      if (isCall) times.push(await time(run))
      else await run()
    }
  }
  const peak = contender.kind === 'memory' ? watchMemory() : () => Number.NaN
  const start = performance.now()
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: concurrency }, lane))
  const { user, system } = process.cpuUsage(before)
  return {
    cpu: (user + system) / count,
    latency: median(times),
    p99: quantile(times, 0.99),
    wall: performance.now() - start,
    peak: peak(),
  }
}

async function time(run: () => unknown): Promise<number> {
  const start = performance.now()
  await run()
  return (performance.now() - start) * 1000
}

/**
 * Watches the resident set in every turn of the event loop until the returned function is called. The kernel's own peak
 * (`maxRSS`) also counts the process's start, and its parent's memory at that time.
 */
function watchMemory(): () => number {
  const before = process.memoryUsage.rss()
  let peak = 0
  let next: NodeJS.Immediate
  const look = () => {
    peak = Math.max(peak, process.memoryUsage.rss() - before)
    next = setImmediate(look)
  }
  look()
  return () => {
    look()
    clearImmediate(next)
    return peak
  }
}

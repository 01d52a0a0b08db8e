/** Runs interleaved rounds of several contenders. Each contender and the server has its own process. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ClientName } from './clients.ts'
import { environment } from './fixture.ts'
import type { SignerName } from './signing.ts'
import { byName, type Summary, summarize } from './stats.ts'

export type Contender =
  | { readonly kind: 'call'; readonly client: ClientName; readonly size?: number }
  | { readonly kind: 'memory'; readonly client: ClientName; readonly size: number; readonly isText: boolean }
  | { readonly kind: 'signing'; readonly signer: SignerName; readonly size: number }
  | { readonly kind: 'invocation' | 'setup'; readonly services: number }

/** One round of a worker: `count` runs, `concurrency` of them at a time. */
export interface Task {
  readonly count: number
  readonly concurrency?: number
}

export interface Round {
  /** CPU time of a run in microseconds. */
  readonly cpu: number
  /** Median and 99th percentile of the calls' latencies in microseconds. */
  readonly latency: number
  readonly p99: number
  /** Milliseconds of the whole round. */
  readonly wall: number
  /** Largest growth of the process's resident set in bytes, for the kind `memory`. */
  readonly peak: number
}

export interface Plan extends Task {
  readonly rounds: number
  /** Runs before the first round. */
  readonly warmUp?: number
  /** How often all processes are started again: V8 compiles each process differently. */
  readonly starts?: number
  readonly isTls?: boolean
}

export type Measured<Name extends string> = Summary<Name, keyof Round>

export async function measure<Name extends string>(
  title: string,
  contenders: Readonly<Record<Name, Contender>>,
  { rounds, warmUp = 0, starts = 1, isTls = false, ...task }: Plan,
): Promise<Measured<Name>> {
  const names = Object.keys(contenders) as Name[]
  const measured = byName(names, () => [] as Round[])
  await withServer(isTls, async (url) => {
    for (let start = 1; start <= starts; start += 1) {
      const workers: [Name, ChildProcess][] = []
      for (const name of names) {
        const worker = startChild('worker.ts', [JSON.stringify(contenders[name])], environment(url))
        workers.push([name, worker])
        await once(worker, 'message')
        if (warmUp > 0) await ask(worker, { ...task, count: warmUp })
      }
      for (let round = 1; round <= rounds; round += 1) {
        progress(`${title}: start ${start} of ${starts}, round ${round} of ${rounds}`)
        // In both directions, so that a contender does not always follow the same one.
        for (const [name, worker] of (start + round) % 2 === 0 ? workers : workers.toReversed()) {
          measured[name].push(await ask(worker, task))
        }
      }
      for (const [, worker] of workers) worker.disconnect()
    }
  })
  progress()
  return summarize(measured)
}

/** Runs `use` with the base URL of a service in another process. */
export async function withServer(isTls: boolean, use: (url: string) => Promise<void>): Promise<void> {
  const server = startChild('server.ts', isTls ? ['tls'] : [], process.env)
  const [url] = await once(server, 'message')
  await use(url)
  server.disconnect()
}

async function ask(worker: ChildProcess, task: Task): Promise<Round> {
  worker.send(task)
  const [round] = await once(worker, 'message')
  return round
}

/** Starts a module of this folder as a process. It ends when it is disconnected. If it fails, the bench fails. */
function startChild(file: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  return fork(join(import.meta.dirname, file), args, { env }).on('exit', (code, signal) => {
    if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code ?? signal}`)
  })
}

const PROGRESS_MS = 5_000
let lastProgress = 0

/** Shows progress: one changing line on a terminal, else a line every few seconds. */
export function progress(text = ''): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text !== '' && Date.now() - lastProgress >= PROGRESS_MS) {
    lastProgress = Date.now()
    console.error(text)
  }
}

/** Rounds of several contenders in turn, each in a process of its own, beside a server in another. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ClientName } from './clients.ts'
import { environment } from './fixture.ts'
import type { SignerName } from './signing.ts'
import { median, medianRatio } from './stats.ts'

export type Contender =
  | { readonly kind: 'call'; readonly client: ClientName; readonly size?: number }
  | { readonly kind: 'signing'; readonly signer: SignerName; readonly size: number }
  | { readonly kind: 'invocation'; readonly services: number; readonly touched: number; readonly isHooked?: boolean }
  | { readonly kind: 'setup'; readonly services: number }

/** What a worker does in a round: `count` runs, so many of them at a time. */
export interface Task {
  readonly count: number
  readonly concurrency?: number
}

/** CPU and latency of a run in microseconds, bytes that it allocated, and microseconds that the round took. */
export interface Round {
  readonly cpu: number
  readonly latency: number
  readonly p99: number
  readonly bytes: number
  readonly wall: number
}

export interface Plan extends Task {
  readonly rounds: number
  /** Runs before the first round. */
  readonly warmUp?: number
  /** How often all processes are started anew: what is compiled when differs from one to the next. */
  readonly starts?: number
  readonly execArgv?: readonly string[]
}

export interface Measured<Name extends string> {
  readonly of: (name: Name, what?: keyof Round) => number
  /** Median of the rounds' ratios. */
  readonly ratio: (name: Name, reference: Name, what?: keyof Round) => number
}

export async function measure<Name extends string>(
  title: string,
  contenders: Readonly<Record<Name, Contender>>,
  { rounds, warmUp = 0, starts = 1, execArgv = [], ...task }: Plan,
): Promise<Measured<Name>> {
  const names = Object.keys(contenders) as Name[]
  const measured = Object.fromEntries(names.map((name) => [name, [] as Round[]])) as Record<Name, Round[]>
  await withServer(async (url) => {
    for (let start = 1; start <= starts; start += 1) {
      const workers: [Name, ChildProcess][] = []
      try {
        for (const name of names) {
          const worker = await startWorker(contenders[name], url, execArgv)
          workers.push([name, worker])
          if (warmUp > 0) await ask(worker, { ...task, count: warmUp })
        }
        for (let round = 1; round <= rounds; round += 1) {
          progress(`${title}: ${starts > 1 ? `start ${start} of ${starts}, ` : ''}round ${round} of ${rounds}`)
          // Nobody is always the one who comes after the same other.
          for (const [name, worker] of round % 2 === 0 ? workers : workers.toReversed()) {
            measured[name].push(await ask(worker, task))
          }
        }
      } finally {
        for (const [, worker] of workers) worker.disconnect()
      }
    }
  })
  progress()
  const values = (name: Name, what: keyof Round) => measured[name].map((round) => round[what])
  return {
    of: (name, what = 'cpu') => median(values(name, what)),
    ratio: (name, reference, what = 'cpu') => medianRatio(values(name, what), values(reference, what)),
  }
}

/** Runs `use` with the base URL of a service on a server in a process of its own. */
export async function withServer<T>(use: (url: string) => Promise<T>): Promise<T> {
  const server = fork(join(import.meta.dirname, 'server.ts'))
  try {
    const [port] = await answerOf(server)
    return await use(`http://127.0.0.1:${port}/prod`)
  } finally {
    server.disconnect()
  }
}

async function startWorker(contender: Contender, url: string, execArgv: readonly string[]): Promise<ChildProcess> {
  const options = { env: environment(url), execArgv: [...execArgv] }
  const worker = fork(join(import.meta.dirname, 'worker.ts'), [JSON.stringify(contender)], options)
  await answerOf(worker)
  return worker
}

async function ask(worker: ChildProcess, task: Task): Promise<Round> {
  worker.send(task)
  const [round] = await answerOf(worker)
  return round
}

/** The next message of a child; its end is an error. */
async function answerOf(child: ChildProcess): Promise<unknown[] & [never]> {
  const listening = new AbortController()
  const { signal } = listening
  try {
    const ended = once(child, 'exit', { signal }).then(([code]) => {
      throw new Error(`a process of the bench ended with ${code}`)
    })
    return (await Promise.race([once(child, 'message', { signal }), ended])) as never
  } finally {
    listening.abort()
  }
}

const PROGRESS_MS = 5_000
let lastProgress = 0

/** One line that changes on a terminal; elsewhere a line every few seconds. */
export function progress(text = ''): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text !== '' && Date.now() - lastProgress >= PROGRESS_MS) {
    lastProgress = Date.now()
    console.error(text)
  }
}

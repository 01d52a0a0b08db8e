import { Readable, Writable } from 'node:stream'
import type { Context } from '../../../src/cli/context.ts'
import { run } from '../../../src/cli/run.ts'

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly bytes: Buffer
}

export interface Surroundings {
  readonly env?: NodeJS.ProcessEnv
  readonly stdin?: string | Iterable<Uint8Array>
  /** Whether standard output and standard error are terminals. */
  readonly isTerminal?: boolean
  readonly now?: () => number
}

/** A stream that keeps what is written to it. */
export class Collector extends Writable {
  readonly isTTY: boolean
  readonly #chunks: Buffer[] = []

  constructor(isTTY = false) {
    super()
    this.isTTY = isTTY
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(chunk)
    done()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}

/** Runs a command line in this process. */
export async function runHere(args: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
  const { env = {}, stdin = '', isTerminal = false, now = Date.now } = surroundings
  const [stdout, stderr] = [new Collector(isTerminal), new Collector(isTerminal)]
  const source = Readable.from(typeof stdin === 'string' ? [Buffer.from(stdin)] : stdin)
  const context: Context = { env, stdin: source, stdout, stderr, now }
  const code = await run(args, context)
  return { code, bytes: stdout.bytes, stdout: stdout.bytes.toString(), stderr: stderr.bytes.toString() }
}

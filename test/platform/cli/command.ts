/** The command in its own process, as a shell runs it. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const MAIN: string = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts')

/** Makes standard output and standard error terminals to the command. */
const AS_TERMINAL = 'data:text/javascript,process.stdout.isTTY=true;process.stderr.isTTY=true'

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly bytes: Buffer
}

export interface Options {
  readonly env?: NodeJS.ProcessEnv
  readonly isTerminal?: boolean
}

/** What a program needs of this process's environment, which may hold variables of services. */
export function bareEnv(): NodeJS.ProcessEnv {
  // The cache more than halves the CPU time in which a command loads its modules.
  return { PATH: process.env.PATH, NODE_COMPILE_CACHE: join(tmpdir(), 'middy-signed-services-compile-cache') }
}

export function start(
  args: readonly string[],
  { env = {}, isTerminal = false }: Options = {},
): ChildProcessWithoutNullStreams {
  const terminal = isTerminal ? ['--import', AS_TERMINAL] : []
  const variables = { ...bareEnv(), AWS_EC2_METADATA_DISABLED: 'true', ...env }
  return spawn(process.execPath, [...terminal, MAIN, ...args], { env: variables })
}

export async function run(
  args: readonly string[],
  options: Options = {},
  stdin: Uint8Array | string = '',
): Promise<Outcome> {
  const child = start(args, options)
  child.stdin.end(stdin)
  return collect(child)
}

export async function collect(child: ChildProcessWithoutNullStreams): Promise<Outcome> {
  const chunks: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += String(chunk)
  })
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('close', (...ended) => resolve(ended))
  })
  const bytes = Buffer.concat(chunks)
  return { code, signal, bytes, stdout: String(bytes), stderr }
}

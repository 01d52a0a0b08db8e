/** AWS's runtime client, `aws-lambda-ric`: installs it apart from the package's own dependencies, and starts it. */
import { type ExecFileSyncOptions, execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'

const home = join(import.meta.dirname, 'ric')
const client = join(home, 'node_modules', 'aws-lambda-ric')

/** Milliseconds for building the addon: a minute and a half on two cores. */
const BUILD_MS = 600_000

/** Milliseconds for a signal to reach every thread. */
const SIGNAL_MS = 5_000

/** Characters of a runtime's output that are kept. */
const MAX_OUTPUT = 100_000

/** Why the client cannot be built on this machine; undefined where it can, or is there already. */
export function whyNotBuildable(): string | undefined {
  if (process.platform !== 'linux') return `aws-lambda-ric has no build for ${process.platform}`
  if (isInstalled()) return undefined
  const missing = [['cmake', 'cmake3'], ['g++'], ['make'], ['python3', 'python'], ['xz']].filter(
    (names) => !names.some(isCommand),
  )
  if (missing.length === 0) return undefined
  return `aws-lambda-ric cannot be built without ${missing.map(([name]) => name).join(', ')}`
}

/** Installs what the lock file names, unless it is there. */
export function installClient(): void {
  if (isInstalled()) return
  console.log('Installing aws-lambda-ric, which compiles its addon: this takes a minute or two')
  const env = { ...process.env, MAKEFLAGS: `-j${availableParallelism()}` }
  const options = {
    cwd: home,
    env,
    timeout: BUILD_MS,
    stdio: ['ignore', 'ignore', 'inherit'],
  } satisfies ExecFileSyncOptions
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], options)
  if (!isInstalled()) throw new Error('npm ci did not build aws-lambda-ric; are install scripts allowed?')
}

function isInstalled(): boolean {
  const installed = join(home, 'node_modules', '.package-lock.json')
  if (!existsSync(installed) || !existsSync(join(client, 'rapid-client.node'))) return false
  const { '': _, ...wanted } = readPackages(join(home, 'package-lock.json'))
  return isDeepStrictEqual(readPackages(installed), wanted)
}

function readPackages(file: string): Record<string, unknown> {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

function isCommand(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export interface Runtime {
  /** Stops every thread, as Lambda does between invocations. */
  readonly freeze: () => Promise<void>
  readonly thaw: () => void
  readonly stop: () => Promise<void>
}

/**
 * Starts the client as Lambda's bootstrap does, with the handler in `_HANDLER` and its own environment.
 * `onExit` is called if the client ends before `stop`.
 */
export function startRuntime(
  taskRoot: string,
  env: Readonly<Record<string, string>>,
  onExit: (error: Error) => void,
): Runtime {
  const child = spawn(process.execPath, [join(client, 'index.mjs')], {
    cwd: taskRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      TZ: ':UTC',
      LAMBDA_TASK_ROOT: taskRoot,
      AWS_EXECUTION_ENV: `AWS_Lambda_nodejs${process.versions.node.split('.', 1)[0]}.x`,
      AWS_LAMBDA_FUNCTION_NAME: 'example',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1769',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/example',
      AWS_LAMBDA_LOG_STREAM_NAME: 'local',
      ...env,
    },
  })
  let output = ''
  let isStopping = false
  const keep = (chunk: Buffer) => {
    output = (output + chunk).slice(-MAX_OUTPUT)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const exited = new Promise<void>((resolve) => {
    child.once('error', onExit).once('close', (code, signal) => {
      process.removeListener('exit', kill)
      if (!isStopping) onExit(new Error(`The runtime ended with ${code ?? signal}:\n${output}`))
      resolve()
    })
  })
  return {
    async freeze() {
      child.kill('SIGSTOP')
      const until = Date.now() + SIGNAL_MS
      while (!isStopped(child.pid as number)) {
        if (Date.now() > until) throw new Error('The runtime does not stop')
        await sleep(1)
      }
    },
    thaw: () => child.kill('SIGCONT'),
    async stop() {
      isStopping = true
      kill()
      await exited
    },
  }
}

/** Whether each of a process's threads is stopped. */
function isStopped(pid: number): boolean {
  const stateOf = (thread: string) => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').split(') ').at(-1)
  return readdirSync(`/proc/${pid}/task`).every((thread) => stateOf(thread)?.startsWith('T'))
}

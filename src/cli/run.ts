import { readFileSync } from 'node:fs'
import { messageOf } from '../errors/index.ts'
import { adviseCall } from './advice.ts'
import { readArguments } from './arguments.ts'
import { runCall } from './call.ts'
import type { Context } from './context.ts'
import { runDoctor } from './doctor.ts'
import { HELP } from './help.ts'
import { loadEnvFile } from './target.ts'
import { UsageError } from './usage-error.ts'

/** Runs a command line. Returns the exit code: 0 success, 1 a failed call or check, 2 wrong usage. Never throws. */
export async function run(args: readonly string[], context: Context): Promise<number> {
  const { stdout, stderr, env } = context
  try {
    const command = readArguments(args)
    switch (command.kind) {
      case 'help':
        stdout.write(HELP[command.topic])
        return 0
      case 'version':
        stdout.write(`${readVersion()}\n`)
        return 0
      case 'call':
        loadEnvFile(command.envFile, env)
        return await runCall(command, context)
      case 'doctor':
        loadEnvFile(command.envFile, env)
        return await runDoctor(command, context)
    }
  } catch (error) {
    stderr.write(`${messageOf(error)}\n`)
    if (error instanceof UsageError) {
      stderr.write('See middy-signed-services --help\n')
      return 2
    }
    const advice = adviseCall(error)
    if (advice !== undefined) stderr.write(`${advice}\n`)
    return 1
  }
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

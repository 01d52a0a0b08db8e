#!/usr/bin/env node
import { run } from './run.ts'

const { argv, env, stdin, stdout, stderr } = process

// At once: a call that waits for its response, or a check, has nothing to clean up.
process.on('SIGINT', () => process.exit(130))
// Whoever reads them may end first, as `head` does; each write says so to the command.
stdout.on('error', () => {})
stderr.on('error', () => {})

const code = await run(argv.slice(2), { env, stdin, stdout, stderr, now: Date.now })
// After what was written, and without waiting for connections.
stdout.write('', () => process.exit(code))

#!/usr/bin/env node
import { run } from './run.ts'

const { argv, env, stdin, stdout, stderr } = process

// Exits at once: a waiting call or check has nothing to clean up.
process.on('SIGINT', () => process.exit(130))
// The reader may close a stream early, as `head` does. Then the command's next write fails.
stdout.on('error', () => {})
stderr.on('error', () => {})

const code = await run(argv.slice(2), { env, stdin, stdout, stderr, now: Date.now })
// After all output is written, without waiting for connections.
stdout.write('', () => process.exit(code))

/**
 * `npm run test:runtime [invocations]`: examples under AWS's own runtime client, against a Runtime API and services on
 * loopback: one invocation at a time, several side by side, and through freezes in which idle connections end.
 */
import { deploy } from './functions.ts'
import { installClient, whyNotBuildable } from './ric.ts'
import { scenarios } from './scenarios.ts'

/** Problems of one scenario that are shown. */
const MAX_PROBLEMS = 10

let passed = 0
let failed = 0

async function runAll(): Promise<void> {
  installClient()
  const { taskRoot, remove } = deploy()
  process.once('exit', remove)
  console.log(`Node ${process.version}`)
  for (const [name, scenario] of scenarios) {
    const startedAt = performance.now()
    const problems: string[] = []
    let counts = ''
    try {
      const { invocations, calls, verified, traces, details, ...finding } = await scenario(taskRoot)
      counts = `\n  ${invocations} invocations, ${calls} calls, ${verified} verified, ${traces} traces; ${details}`
      problems.push(...finding.problems)
    } catch (error) {
      problems.push((error as Error).message)
    }
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`\n${problems.length === 0 ? 'passed' : 'FAILED'}: ${name} (${seconds} s)${counts}`)
    for (const problem of problems.slice(0, MAX_PROBLEMS)) console.log(`  - ${problem}`)
    if (problems.length > MAX_PROBLEMS) console.log(`  and ${problems.length - MAX_PROBLEMS} more problems`)
    if (problems.length === 0) passed += 1
    else failed += 1
  }
}

// A signal ends the process without `exit`, which is where runtimes are ended and files removed.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const obstacle = whyNotBuildable()
if (obstacle === undefined) {
  await runAll()
} else if (process.env.CI) {
  console.log(`FAILED: ${obstacle}`)
  failed += 1
} else console.log(`Skipped: ${obstacle}`)
console.log(`\n${passed} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1

/** `node test/platform/freezes/run.ts [rounds]`: freezes in number, in plain and over TLS, on the Node.js that runs it. */
import { runFreezes } from './freezes.ts'

const rounds = Number(process.argv[2] ?? 200)

console.log(`Node.js ${process.version}`)
for (const protocol of ['http', 'https'] as const) {
  const { requests, connections, ended, problems } = await runFreezes(protocol, rounds)
  console.log(
    `${protocol}: ${rounds} freezes, ${requests} requests over ${connections} connections, ${ended} of which were ` +
      `ended during a freeze; ${problems.length} problems`,
  )
  for (const problem of problems) console.log(`  - ${problem}`)
  if (problems.length > 0) process.exitCode = 1
}

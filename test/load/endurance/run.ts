/**
 * `npm run endurance [minutes]`: a function under mixed traffic, frozen now and then, for an hour by default. It exits with 1
 * if a call ends in another way than expected, if a signature is not verified, or if heap, descriptors or handles grow.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fail, startLocalGateway } from '../../../src/testing/index.ts'
import { EXPECTED, type Report } from './report.ts'

/** Most growth from the second quarter of the reports to the last one. The first quarter warms up. */
const MAX_HEAP_GROWTH = 1_000_000
const MAX_DESCRIPTOR_GROWTH = 2

/** Milliseconds that the process stays frozen; after the longest one, no connection may be reused. */
const FREEZES_MS = [50, 500, 3_000, 33_000]

const minutes = Number(process.argv[2] ?? 60)
const names = Object.keys(EXPECTED) as (keyof typeof EXPECTED)[]
const faults = names.map((name) => [`POST /${name}`, fail(name)] as const)
const gateway = await startLocalGateway({
  services: {
    ai: { 'GET /ok': { ok: true }, 'POST /ok': { ok: true }, 'GET /hang': fail('hang'), ...Object.fromEntries(faults) },
  },
})
const child = fork(join(import.meta.dirname, 'child.ts'), {
  env: { ...process.env, ...gateway.env },
  execArgv: ['--expose-gc'],
})
const reports: Report[] = []
const problems: string[] = []
let requests = 0
let freezes = 0
child.on('message', async (report: Report | 'idle') => {
  if (report === 'idle') {
    child.kill('SIGSTOP')
    await sleep(FREEZES_MS[freezes % FREEZES_MS.length])
    child.kill('SIGCONT')
    freezes += 1
    return
  }
  reports.push(report)
  problems.push(...report.unexpected)
  requests += gateway.requests.length
  // Those that ended early have no verdict.
  problems.push(
    ...gateway.requests
      .filter(({ signature }) => signature?.verified === false)
      .map(({ path }) => `${path} was rejected`),
  )
  gateway.reset()
  if (reports.length % 100 === 0) console.log(describe(report))
})
child.on('exit', (code) => problems.push(`the process ended with ${code}`))

await Promise.race([sleep(minutes * 60_000), once(child, 'exit')])
child.removeAllListeners('exit').kill('SIGKILL')
await gateway.close()

const quarter = Math.floor(reports.length / 4)
const [before, after] = [reports.slice(quarter, 2 * quarter), reports.slice(-quarter)]
const growth = (read: (report: Report) => number) => median(after.map(read)) - median(before.map(read))
const heap = growth((report) => report.heap)
const descriptors = growth((report) => report.descriptors)
const handles = growth((report) => report.handles)
if (quarter === 0) problems.push('too short for a comparison')
if (heap > MAX_HEAP_GROWTH) problems.push(`the heap grew by ${heap} bytes`)
if (descriptors > MAX_DESCRIPTOR_GROWTH) problems.push(`${descriptors} more descriptors`)
if (handles > MAX_DESCRIPTOR_GROWTH) problems.push(`${handles} more handles`)

const last = reports.at(-1)
console.log(`Node.js ${process.version}, ${minutes} minutes, ${freezes} freezes, ${requests} requests`)
if (last !== undefined) console.log(describe(last))
console.log(`growth: heap ${Math.round(heap / 1024)} KB, descriptors ${descriptors}, handles ${handles}`)
console.log(`${problems.length} problems`)
for (const problem of problems.slice(0, 20)) console.log(`  - ${problem}`)
process.exitCode = problems.length === 0 ? 0 : 1

function describe({ invocations, calls, heap, resident, descriptors, handles }: Report): string {
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
  return `${invocations} invocations, ${calls} calls, heap ${mb(heap)}, resident ${mb(resident)}, ${descriptors} descriptors, ${handles} handles`
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

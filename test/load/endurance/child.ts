/**
 * A function that is invoked until its parent ends it: a Middy handler with four calls an invocation, one of which fails in
 * a different way each time. Between invocations it pauses, and its parent freezes it when it says that it is idle. Reports
 * to its parent every 50 invocations. Needs `--expose-gc`.
 */
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import middy from '@middy/core'
import signedServices, { type ServicesContext } from '../../../src/index.ts'
import { EXPECTED, type Report } from './report.ts'

/** Longest pause between two invocations, in milliseconds. */
const MAX_PAUSE = 100

/** Milliseconds of the pause in which the parent freezes the process. */
const IDLE_PAUSE = 500
const INVOCATIONS_PER_FREEZE = 70

/** Milliseconds of pauses without a freeze: within and beyond the time for which a connection is reused. */
const LONG_PAUSES = [6_000, 26_000, 35_000]
const INVOCATIONS_PER_LONG_PAUSE = 2_000

const INVOCATIONS_PER_REPORT = 50
const faults = Object.keys(EXPECTED) as (keyof typeof EXPECTED)[]

const unexpected: string[] = []
let calls = 0

const handler = middy()
  .use(signedServices({ services: ['ai'], timeout: 2_000, retry: { delay: () => 0 }, logger: silent() }))
  .handler(async (_event, { services: { ai } }) => {
    const fault = faults[calls % faults.length] as (typeof faults)[number]
    const outcome = async (name: 'ok' | typeof fault, call: PromiseLike<unknown>) => {
      calls += 1
      const code = await call.then(
        () => 'OK',
        (error) => String(error.code),
      )
      const expected = name === 'ok' ? 'OK' : EXPECTED[name]
      if (code !== expected) unexpected.push(`${name}: ${code}, not ${expected}`)
    }
    const bounds = ['hang', 'hang-in-body'].includes(fault) ? { timeout: 30 } : {}
    await Promise.all([
      outcome('ok', ai.get('ok').json()),
      outcome('ok', ai.post('ok', { json: { text: 'x'.repeat(calls % 5_000) } }).json()),
      outcome(
        'ok',
        ai.fetch('ok').then((response) => response.text()),
      ),
      outcome(fault, ai.post(fault, { json: {}, ...bounds }).json()),
    ])
    // Never awaited: the middleware aborts it when the handler ends.
    if (calls % 7 === 0) void ai.get('hang').json()
  })

for (let invocation = 1; ; invocation += 1) {
  const context = { getRemainingTimeInMillis: () => 60_000 } as ServicesContext
  await handler({}, context).catch((error: Error) => unexpected.push(`the handler: ${error.message}`))
  await sleep(Math.random() * MAX_PAUSE)
  if (invocation % INVOCATIONS_PER_LONG_PAUSE === 0) {
    await sleep(LONG_PAUSES[(invocation / INVOCATIONS_PER_LONG_PAUSE) % LONG_PAUSES.length])
  }
  if (invocation % INVOCATIONS_PER_FREEZE === 0) {
    process.send?.('idle')
    await sleep(IDLE_PAUSE)
  }
  if (invocation % INVOCATIONS_PER_REPORT > 0) continue
  globalThis.gc?.()
  const report: Report = {
    invocations: invocation,
    calls,
    heap: process.memoryUsage().heapUsed,
    resident: process.memoryUsage().rss,
    descriptors: readdirSync('/proc/self/fd').length,
    handles: process.getActiveResourcesInfo().length,
    unexpected: unexpected.splice(0),
  }
  process.send?.(report)
}

function silent() {
  const ignore = () => {}
  return { info: ignore, warn: ignore, error: ignore }
}

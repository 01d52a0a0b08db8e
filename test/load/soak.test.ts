import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { SoakResult } from './soak/run.ts'

/** Bytes that the heap may grow by between the first and the last third of the calls: less than a kilobyte a call. */
const TOLERANCE = 500_000

it('1,000 calls with mixed faults leave no handle, no listener and no memory behind', async () => {
  const run = join(import.meta.dirname, 'soak', 'run.ts')
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', run], { timeout: 110_000 })
  const { ends, requests, baseline, left, listeners, heap }: SoakResult = JSON.parse(stdout)
  expect(left).toEqual(baseline)
  expect(listeners).toEqual({ betweenCalls: 0, afterAbort: 0 })

  const third = Math.floor(heap.length / 3)
  const average = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + size, 0) / sizes.length
  expect(third).toBeGreaterThan(10)
  expect(average(heap.slice(-third)) - average(heap.slice(0, third))).toBeLessThan(TOLERANCE)

  // That all of it has happened.
  const counts = Object.values(ends)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(1000)
  expect(requests).toBeGreaterThan(1000)
  expect(Object.keys(ends).sort()).toEqual([
    'ABORTED',
    'ERR_SERVICE_AUTH',
    'ERR_SERVICE_NETWORK',
    'ERR_SERVICE_RESPONSE',
    'ERR_SERVICE_THROTTLED',
    'ERR_SERVICE_TIMEOUT',
    'OK',
  ])
  expect(Math.min(...counts)).toBeGreaterThan(50)
}, 120_000)

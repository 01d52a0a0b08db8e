import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import type { ProgramResult, SeenRequest, Subsegment } from './programs/lambda.ts'

/** Milliseconds for a program: on a busy machine, loading the packages alone takes seconds. */
export const PROGRAM_TIMEOUT = 40_000

/** Runs one of the programs in a process of its own, under the Node that runs the tests. */
export async function runProgram(name: string, ...args: string[]): Promise<ProgramResult> {
  const file = join(import.meta.dirname, 'programs', `${name}.ts`)
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args], { timeout: PROGRAM_TIMEOUT - 5_000 })
  return JSON.parse(stdout)
}

/** Those whose path ends like this, of which there must be some. */
export function requestsTo({ requests }: ProgramResult, path: string): readonly SeenRequest[] {
  const found = requests.filter(({ target }) => target.endsWith(path))
  expect(found.length, path).toBeGreaterThan(0)
  return found
}

/** That each request carries one trace, and that its parent is a subsegment of its own for a call to somebody else. */
export function expectOwnSubsegments({ subsegments }: ProgramResult, requests: readonly SeenRequest[]): Subsegment[] {
  const parents = requests.map(({ traces }) => {
    expect(traces).toEqual([expect.stringMatching(/^Root=1-67f1a2b3-0123456789abcdef01234567;Parent=[\da-f]{16};/)])
    return /Parent=([\da-f]{16})/.exec(traces[0] ?? '')?.[1]
  })
  expect(new Set(parents).size).toBe(requests.length)
  return parents.map((parent) => {
    const subsegment = subsegments.find(({ id }) => id === parent)
    expect(subsegment).toMatchObject({ namespace: 'remote' })
    return subsegment as Subsegment
  })
}

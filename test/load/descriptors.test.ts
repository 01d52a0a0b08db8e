import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { listen } from '../support/helpers.ts'

const CALLS = 150

/** Calls a service that takes a while, from a process with that many file descriptors. */
async function callWith(descriptors: number, maxConnections?: number) {
  const server = createServer((_, response) => {
    setTimeout(() => response.end('{}'), 50)
  })
  const url = `http://127.0.0.1:${await listen(server)}`
  const file = join(import.meta.dirname, 'descriptors', 'caller.ts')
  const args = [file, url, CALLS, ...(maxConnections === undefined ? [] : [maxConnections])].map(String)
  const command = `ulimit -n ${descriptors}; exec "$0" "$@"`
  const { stdout } = await promisify(execFile)('sh', ['-c', command, process.execPath, ...args], { timeout: 20_000 })
  return JSON.parse(stdout) as { outcomes: Record<string, number>; last: string }
}

describe('150 calls at once', () => {
  it('need no more than 200 descriptors by default', async () => {
    expect(await callWith(200)).toEqual({ outcomes: { ok: CALLS }, last: 'ok' })
  })

  it('need no more than maxConnections allows', async () => {
    expect(await callWith(100, 40)).toEqual({ outcomes: { ok: CALLS }, last: 'ok' })
  })

  it.each([
    ['by default', undefined],
    ['with a high maxConnections', 1_000],
  ])('that use up all descriptors %s open no circuit breaker', async (_, maxConnections) => {
    const { outcomes, last } = await callWith(100, maxConnections)
    expect(Object.keys(outcomes).toSorted()).toEqual(['EMFILE', 'ok'])
    expect(outcomes.EMFILE).toBeGreaterThan(10)
    expect(last).toBe('ok')
  })
})

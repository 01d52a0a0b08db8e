import { lookup } from 'node:dns'
import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { watchConnections } from '../../../src/cli/connection-log.ts'

const watch = () => {
  const log = watchConnections()
  onTestFinished(log.stop)
  return log
}

describe('the log of connections', () => {
  it('is empty at first', () => {
    expect(watch().take()).toEqual([])
  })

  it('has a line for each lookup and connection', () => {
    const entries = [
      {
        entryType: 'dns',
        duration: 1.26,
        detail: { hostname: 'x.example', addresses: [{ address: '10.0.0.1' }, { address: '::1' }] },
      },
      { entryType: 'net', duration: 20, detail: { host: '10.0.0.1', port: 443 } },
    ]
    const takeRecords = vi.spyOn(PerformanceObserver.prototype, 'takeRecords')
    onTestFinished(() => takeRecords.mockRestore())
    takeRecords.mockReturnValueOnce(entries as unknown as PerformanceEntry[]).mockReturnValue([])
    const log = watch()
    expect(log.take()).toEqual(['DNS lookup of x.example: 10.0.0.1, ::1, 1.3 ms', 'connected to 10.0.0.1:443, 20.0 ms'])
    expect(log.take()).toEqual([])
  })

  it('has the lookups of Node.js, until it is stopped', async () => {
    const resolveLocalhost = () => new Promise((resolve) => lookup('localhost', { all: true }, resolve))
    const log = watch()
    await resolveLocalhost()
    expect(log.take()).toEqual([expect.stringMatching(/^DNS lookup of localhost: .+, [\d.]+ ms$/)])
    log.stop()
    await resolveLocalhost()
    expect(log.take()).toEqual([])
  })
})

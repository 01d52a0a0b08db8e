import { expect, vi } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

await useGateway({ ai: { 'GET /jobs': [] } })
const written: unknown[] = []
const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
  written.push(JSON.parse(String(text)))
  return true
})

// #region

import { type CallRecord, createServices } from 'middy-signed-services'

function writeMetrics({ service, durationMs, attempts, errorCode }: CallRecord): void {
  const Metrics = [
    { Name: 'Duration', Unit: 'Milliseconds' },
    { Name: 'Attempts', Unit: 'Count' },
    { Name: 'Failures', Unit: 'Count' },
  ]
  const line = {
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [{ Namespace: 'Publishing', Dimensions: [['Service']], Metrics }],
    },
    Service: service,
    Duration: durationMs,
    Attempts: attempts,
    Failures: errorCode === undefined ? 0 : 1,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

export const { ai } = createServices({ services: ['ai'], onCall: writeMetrics })

// #endregion

await ai.get('jobs')
await ai.get('nothing').catch(() => {})
write.mockRestore()
expect(written).toMatchObject([
  { Service: 'ai', Duration: expect.any(Number), Attempts: 1, Failures: 0 },
  { Service: 'ai', Duration: expect.any(Number), Attempts: 1, Failures: 1 },
])

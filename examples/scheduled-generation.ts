/** Runs `functions/scheduled-generation.ts`: the gateway throttles the first attempt; the second gets a job. */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { localContext, runLocally } from './support/run-locally.ts'

await runLocally({ ai: { 'POST /generate/social-post': { jobId: 'job-7' } } }, async (gateway) => {
  const { handler } = await import('./functions/scheduled-generation.ts')
  gateway.fail('ai *', { fault: 'throttled', times: 1 })
  const brief = { topic: 'Spring release', platform: 'linkedin', tone: 'calm' }
  const result = await handler({ scheduleId: 'weekly', slot: '2025-03-03T07:00:00Z', brief }, localContext())

  console.log('Returned:', JSON.stringify(result))
  equal(result, { jobId: 'job-7', slot: '2025-03-03T07:00:00Z' })
  equal(
    gateway.requests.map(({ status, headers, json }) => [status, headers['idempotency-key'], json]),
    [
      [429, 'weekly@2025-03-03T07:00:00Z', brief],
      [200, 'weekly@2025-03-03T07:00:00Z', brief],
    ],
  )
})

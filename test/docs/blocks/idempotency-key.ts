import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'POST /generate/social-post': {} } })
gateway.fail('ai *', { status: 503, headers: { 'retry-after': '0' }, times: 1 })
const { ai } = createServices({ services: ['ai'] })
const [brief, scheduleId, slot] = [{ topic: 'Spring' }, 'weekly', '2025-03-03T07:00:00Z']

// #region

await ai.post('generate/social-post', { json: brief, headers: { 'idempotency-key': `${scheduleId}@${slot}` } })

// #endregion

const key = 'weekly@2025-03-03T07:00:00Z'
expect(gateway.requests.map(({ status, headers }) => [status, headers['idempotency-key']])).toEqual([
  [503, key],
  [200, key],
])

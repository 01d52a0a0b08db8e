import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'POST /generate/social-post': {} } })

// #region

import type { ServiceClient } from 'middy-signed-services'

/** Asks for one post a schedule and time slot, however often it runs. */
export async function generate(ai: ServiceClient, scheduleId: string, slot: string): Promise<void> {
  await ai.post('generate/social-post', {
    json: { scheduleId, slot },
    headers: { 'idempotency-key': `${scheduleId}@${slot}` },
  })
}

// #endregion

gateway.fail('ai *', { status: 503, headers: { 'retry-after': '0' }, times: 1 })
await generate(createServices({ services: ['ai'] }).ai, 'weekly', '2025-03-03T07:00:00Z')
const key = 'weekly@2025-03-03T07:00:00Z'
expect(gateway.requests.map(({ status, headers }) => [status, headers['idempotency-key']])).toEqual([
  [503, key],
  [200, key],
])

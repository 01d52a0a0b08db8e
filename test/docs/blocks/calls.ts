import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({
  ai: { 'GET /jobs/:id': { state: 'done' }, 'POST /jobs': {}, 'GET /reports/:id': {} },
})
gateway.fail('ai GET /reports/:id', { status: 404 })

// #region

import { createServices } from 'middy-signed-services'

const { ai } = createServices({ services: ['ai'] })

const job = await ai.get('jobs/7', { searchParams: { verbose: true } }).json<{ state: string }>()
await ai.post('jobs', { json: { topic: 'Signed requests' }, headers: { 'idempotency-key': 'weekly-1' } })
const response = await ai.get('reports/7', { throwHttpErrors: false, timeout: 2_000 })

// #endregion

expect([job.state, response.status]).toEqual(['done', 404])
expect(gateway.requests.map(({ target }) => target)).toEqual(['/ai/jobs/7?verbose=true', '/ai/jobs', '/ai/reports/7'])

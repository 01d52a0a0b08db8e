import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'POST /jobs': { jobId: 'job-1' } } })

// #region

import { createSignedFetch } from 'middy-signed-services'

const signedFetch = createSignedFetch({ region: 'us-east-1', service: 'execute-api' })
const response = await signedFetch(`${process.env.AI_SERVICE_API_URL}/jobs`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ topic: 'tea' }),
})
const { jobId } = (await response.json()) as { jobId: string }

// #endregion

expect(jobId).toBe('job-1')
expect(gateway.requests).toMatchObject([{ json: { topic: 'tea' }, signature: { verified: true } }])

import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({
  ai: { 'POST /jobs': ({ json, searchParams }) => ({ jobId: 'job-1', json, searchParams }) },
})

// #region

import { createServices, ServiceResponseError } from 'middy-signed-services'

const { ai } = createServices({ services: ['ai'] })
try {
  const { jobId } = await ai
    .post('jobs', { json: { topic: 'tea' }, searchParams: { dryRun: true } })
    .json<{ jobId: string }>()
  console.log(jobId)
} catch (error) {
  if (!(error instanceof ServiceResponseError)) throw error
  console.error(error.status, error.data)
}

// #endregion

expect(gateway.requests).toMatchObject([{ json: { topic: 'tea' }, searchParams: { dryRun: 'true' }, status: 200 }])

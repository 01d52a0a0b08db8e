import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'POST /events': {} }, integration: {} })

// #region

import { BatchInvokeError, batchInvokeApiGateway } from 'middy-signed-services/request-signer'

const { AI_SERVICE_API_URL = '', INTEGRATION_SERVICE_API_URL = '' } = process.env
const event = { type: 'article.published' }
const requests = [
  { apiUrl: AI_SERVICE_API_URL, method: 'POST', path: '/events', body: event },
  { apiUrl: INTEGRATION_SERVICE_API_URL, method: 'POST', path: '/events', body: event },
]
try {
  await batchInvokeApiGateway(requests)
} catch (error) {
  if (!(error instanceof BatchInvokeError)) throw error
  error.results // one entry for each request, in order; undefined for a failed one
  error.errors // the errors, in order
  error.failedIndexes // the indexes of the failed requests
}

// #endregion

const error = await batchInvokeApiGateway(requests).catch((thrown: BatchInvokeError) => thrown)
expect(error).toMatchObject({ results: [{}, undefined], errors: [{ status: 403 }], failedIndexes: [1] })
expect(gateway.requests.map(({ json }) => json)).toEqual(Array(4).fill(event))

import { BatchInvokeError, batchInvokeApiGateway } from 'middy-signed-services/request-signer'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'POST /events': {} }, integration: {} })
const event = { type: 'article.published' }

// #region

const { AI_SERVICE_API_URL, INTEGRATION_SERVICE_API_URL } = process.env
const urls = [AI_SERVICE_API_URL, INTEGRATION_SERVICE_API_URL]
const requests = urls.map((apiUrl = '') => ({ apiUrl, method: 'POST', path: '/events', body: event }))
try {
  await batchInvokeApiGateway(requests)
} catch (error) {
  if (!(error instanceof BatchInvokeError)) throw error
  error.results // answers in the order of the requests, undefined where one failed
  error.errors // what failed, in that order
  error.failedIndexes // which requests those were
}

// #endregion

const error = await batchInvokeApiGateway(requests).catch((thrown: BatchInvokeError) => thrown)
expect(error).toMatchObject({ results: [{}, undefined], errors: [{ status: 403 }], failedIndexes: [1] })
expect(gateway.requests.map(({ json }) => json)).toEqual(Array(4).fill(event))

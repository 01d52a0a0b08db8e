import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ integration: { 'POST /critical/operation': { done: true } } })
gateway.fail('integration *', { status: 503, headers: { 'retry-after': '0' }, times: 3 })

// #region

import { invokeApiGatewayWithRetry } from 'middy-signed-services/request-signer'

const { INTEGRATION_SERVICE_API_URL = '' } = process.env
const order = { orderId: 'o-1' }
const result = await invokeApiGatewayWithRetry<{ done: boolean }>(
  INTEGRATION_SERVICE_API_URL,
  'POST',
  '/critical/operation',
  order,
  undefined, // no query
  3, // at most 3 retries
  1_000, // the first retry waits up to 1,000 ms
)

// #endregion

expect(result).toEqual({ done: true })
expect(gateway.requests.map(({ status }) => status)).toEqual([503, 503, 503, 200])

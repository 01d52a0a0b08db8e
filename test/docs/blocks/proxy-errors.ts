import type { ServicesContext } from 'middy-signed-services'
import { expect, vi } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /topics': ['Tea'] } })
const shown = vi.spyOn(console, 'error').mockImplementation(() => {})

// #region

import middy from '@middy/core'
import httpErrorHandler from '@middy/http-error-handler'
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda'
import signedServices, { CircuitOpenError, ServiceError, ServiceThrottledError } from 'middy-signed-services'

function toResponse(error: ServiceError): APIGatewayProxyResult {
  const asksToWait = error instanceof ServiceThrottledError || error instanceof CircuitOpenError
  const retryAfterMs = asksToWait ? error.retryAfterMs : undefined
  return {
    statusCode: error.statusCode,
    headers: {
      'content-type': 'application/json',
      ...(retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
    },
    body: JSON.stringify({ message: 'A service that this API needs is not available' }),
  }
}

export const handler = middy<APIGatewayProxyEvent, APIGatewayProxyResult>()
  .use(signedServices({ services: ['ai'] }))
  .use(httpErrorHandler())
  .onError((request) => {
    if (!(request.error instanceof ServiceError)) return
    console.error(request.error)
    request.response = toResponse(request.error)
  })
  .handler(async (_event, { services: { ai } }) => {
    const topics = await ai.get('topics').json()
    return { statusCode: 200, body: JSON.stringify(topics) }
  })

// #endregion

const invoke = () => handler({} as APIGatewayProxyEvent, {} as ServicesContext<'ai'>)
expect(await invoke()).toEqual({ statusCode: 200, body: '["Tea"]' })
const body = '{"message":"A service that this API needs is not available"}'
const heal = gateway.fail('ai *', { status: 404 })
expect(await invoke()).toEqual({ statusCode: 502, headers: { 'content-type': 'application/json' }, body })
heal()
gateway.fail('ai *', { status: 429, headers: { 'retry-after': '60' } })
expect(await invoke()).toMatchObject({ statusCode: 503, headers: { 'retry-after': '60' }, body })
expect(shown).toHaveBeenCalledTimes(2)
shown.mockRestore()

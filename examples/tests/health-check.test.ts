import mockContext from 'aws-lambda-mock-context'
import { fail, mockServices, reply } from 'middy-signed-services/testing'
import { expect, it } from 'vitest'
import { handler } from '../functions/health-check.ts'

it('tells the services that are well from those that are not', async () => {
  const healthy = { 'GET /health': { status: 'healthy' } }
  const services = mockServices({
    ai: healthy,
    integration: { 'GET /health': reply(500) },
    background: { 'GET /health': fail('timeout') },
    admin: healthy,
  })
  const { statusCode, body } = await handler({}, { ...mockContext({ timeout: 60 }), services })
  expect(statusCode).toBe(503)
  expect(JSON.parse(body)).toEqual({
    ai: 'healthy',
    integration: 'ERR_SERVICE_RESPONSE',
    background: 'ERR_SERVICE_TIMEOUT',
    admin: 'healthy',
  })
})

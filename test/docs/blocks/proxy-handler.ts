import type { ServicesContext } from 'middy-signed-services'
import { expect, vi } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /jobs': ['job-1'] } })

// #region

import middy from '@middy/core'
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda'
import signedServices, { ServiceError } from 'middy-signed-services'

export const handler = middy<APIGatewayProxyEvent, APIGatewayProxyResult>()
  .use(signedServices({ services: ['ai'] }))
  .onError((request) => {
    if (!(request.error instanceof ServiceError)) return
    console.error(request.error)
    request.response = { statusCode: request.error.statusCode, body: 'A service that this one needs has failed' }
  })
  .handler(async (_event, { services: { ai } }) => ({ statusCode: 200, body: await ai.get('jobs').text() }))

// #endregion

const event = {} as APIGatewayProxyEvent
const context = {} as ServicesContext<'ai'>
expect(await handler(event, context)).toEqual({ statusCode: 200, body: '["job-1"]' })
const log = vi.spyOn(console, 'error').mockImplementation(() => {})
gateway.fail('ai *', 'access-denied')
expect(await handler(event, context)).toEqual({ statusCode: 502, body: 'A service that this one needs has failed' })
expect(log).toHaveBeenCalledOnce()
log.mockRestore()

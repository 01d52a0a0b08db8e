import middy from '@middy/core'
import type { APIGatewayProxyResult } from 'aws-lambda'
import signedServices, { ServiceError, type ServicesContext } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

await useGateway({ ai: {} })
const handler = middy<unknown, APIGatewayProxyResult>()
  .use(signedServices({ services: ['ai'] }))
  .handler(async (_, { services: { ai } }) => ({ statusCode: 200, body: await ai.get('missing').text() }))

// #region

handler.onError((request) => {
  if (request.error instanceof ServiceError) {
    request.response = { statusCode: request.error.statusCode, body: 'A service that this one needs has failed' }
  }
})

// #endregion

expect(await handler({}, {} as ServicesContext<'ai'>)).toEqual({
  statusCode: 502,
  body: 'A service that this one needs has failed',
})

import middy from '@middy/core'
import httpErrorHandler from '@middy/http-error-handler'
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda'
import { describe, expect, it } from 'vitest'
import { ServiceError, type ServicesContext, signedServices } from '../../../src/index.ts'
import { answer, IDENTITY } from '../../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const EVENT = {} as APIGatewayProxyEvent
const CONTEXT = {} as ServicesContext<'ai'>

/** A handler that lets a failed call pass. */
const failing = (status: number) =>
  middy<APIGatewayProxyEvent, APIGatewayProxyResult>()
    .use(httpErrorHandler({ logger: false }))
    .use(
      signedServices({
        services: { ai: BASE },
        credentials: IDENTITY,
        retry: 0,
        fetch: () =>
          answer('{"message":"internal detail"}', { status, headers: { 'content-type': 'application/json' } }),
      }),
    )

const handler = async (_: APIGatewayProxyEvent, { services: { ai } }: ServicesContext<'ai'>) => ({
  statusCode: 200,
  body: await ai.get('x').text(),
})

describe('@middy/http-error-handler: a failed call whose error the handler does not catch', () => {
  it('is 500 to the outside, which learns nothing of it', async () => {
    const result = (await failing(403).handler(handler)(EVENT, CONTEXT)) as APIGatewayProxyResult
    expect(result.statusCode).toBe(500)
    expect(JSON.stringify(result)).not.toMatch(/internal detail|ai|403|execute-api/)
  })

  it.each([
    [403, 502],
    [429, 503],
    [500, 502],
  ])("is what the README's few lines make of it: %d becomes %d", async (status, expected) => {
    const wrapped = failing(status).handler(handler)
    wrapped.onError((request) => {
      if (request.error instanceof ServiceError) {
        request.response = { statusCode: request.error.statusCode, body: 'A service that this one needs has failed' }
      }
    })
    expect(await wrapped(EVENT, CONTEXT)).toEqual({
      statusCode: expected,
      body: 'A service that this one needs has failed',
    })
  })
})

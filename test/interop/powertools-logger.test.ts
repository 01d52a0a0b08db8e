import { Console } from 'node:console'
import { Writable } from 'node:stream'
import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import middy from '@middy/core'
import mockContext from 'aws-lambda-mock-context'
import { beforeEach, describe, expect, it } from 'vitest'
import { type ServicesContext, signedServices } from '../../src/index.ts'
import { rejection, useGateway } from '../support/helpers.ts'

let lines: Record<string, unknown>[]
let logger: Logger
beforeEach(() => {
  lines = []
  logger = new Logger({ logLevel: 'INFO', serviceName: 'caller' })
  const sink = new Writable({
    write(chunk, _, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    },
  })
  // Powertools writes to its own console.
  Object.assign(logger, { console: new Console(sink) })
})

describe('@aws-lambda-powertools/logger', () => {
  it("fits as a `logger`, and keeps its own keys and the invocation's", async () => {
    await useGateway({ ai: { 'GET /jobs/:id': {}, 'POST /jobs': {} } })
    const handler = middy()
      .use(injectLambdaContext(logger))
      .use(signedServices({ services: ['ai'], logger, pendingCalls: 10_000 }))
      .handler(async (_, { services: { ai } }) => {
        await ai.get('jobs/1').json()
        await rejection(ai.get('nothing'))
        ai.post('jobs')
      })
    const context = { ...mockContext({ timeout: 3600 }), awsRequestId: 'r-1' } as ServicesContext<'ai'>
    await handler({}, context)
    const common = { service: 'caller', function_request_id: 'r-1' }
    expect(lines).toMatchObject([
      { ...common, level: 'INFO', message: 'ai: GET /jobs/1: 200', call: { service: 'ai', status: 200, attempts: 1 } },
      {
        ...common,
        level: 'ERROR',
        message: 'ai: GET /nothing: 403 ERR_SERVICE_AUTH',
        call: { service: 'ai', method: 'GET', path: '/nothing', status: 403, errorCode: 'ERR_SERVICE_AUTH' },
      },
      { ...common, level: 'INFO', message: 'ai: POST /jobs: 200' },
      {
        ...common,
        level: 'WARN',
        message:
          'Calls were still pending when the handler ended: ai POST /jobs (finished). Await each call in the handler.',
        calls: [{ service: 'ai', method: 'POST', path: '/jobs', end: 'finished' }],
      },
    ])
  })
})

import type { ServicesContext } from 'middy-signed-services'
import { expect } from 'vitest'
import { TRACE_ID, useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'POST /jobs': { jobId: 'job-1' } } })

// #region

import { Tracer } from '@aws-lambda-powertools/tracer'
import { captureLambdaHandler } from '@aws-lambda-powertools/tracer/middleware'
import middy from '@middy/core'
import signedServices from 'middy-signed-services'

const tracer = new Tracer({ serviceName: 'publisher' })

export const handler = middy<{ topic: string }>()
  .use(captureLambdaHandler(tracer))
  .use(signedServices({ services: ['ai'] }))
  .handler(async ({ topic }, { services: { ai } }) => ai.post('jobs', { json: { topic } }).json())

// #endregion

// Outside Lambda, the Tracer is off.
const context = { xRayTraceId: TRACE_ID } as unknown as ServicesContext<'ai'>
expect(await handler({ topic: 'tea' }, context)).toEqual({ jobId: 'job-1' })
expect(gateway.requests[0]?.headers['x-amzn-trace-id']).toBe(TRACE_ID)

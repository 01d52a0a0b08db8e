import type { ServicesContext } from 'middy-signed-services'
import { expect, vi } from 'vitest'
import { setEnv, TRACE_ID, useGateway } from '../../support/helpers.ts'

await useGateway({ ai: { 'POST /jobs': { jobId: 'job-1' } } })
// Powertools then writes to the console that the test watches.
setEnv({ POWERTOOLS_DEV: 'true' })
const lines = vi.spyOn(console, 'info').mockImplementation(() => {})

// #region

import { Logger } from '@aws-lambda-powertools/logger'
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware'
import middy from '@middy/core'
import signedServices from 'middy-signed-services'

const logger = new Logger({ serviceName: 'publisher' })

export const handler = middy<{ topic: string }>()
  .use(injectLambdaContext(logger))
  .use(signedServices({ services: ['ai'], logger }))
  .handler(async ({ topic }, { services: { ai } }) => ai.post('jobs', { json: { topic } }).json())

// #endregion

await handler({ topic: 'tea' }, { xRayTraceId: TRACE_ID } as unknown as ServicesContext<'ai'>)
const [[line] = []] = lines.mock.calls
lines.mockRestore()
expect(JSON.parse(line)).toMatchObject({
  level: 'INFO',
  message: 'ai: POST /jobs: 200',
  service: 'publisher',
  call: {
    service: 'ai',
    method: 'POST',
    path: '/jobs',
    attempts: 1,
    durationMs: expect.any(Number),
    status: 200,
    requestId: expect.any(String),
    traceId: TRACE_ID,
  },
})

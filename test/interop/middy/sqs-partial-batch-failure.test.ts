import middy from '@middy/core'
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure'
import type { SQSEvent, SQSRecord } from 'aws-lambda'
import { describe, expect, it, vi } from 'vitest'
import { type ServicesContext, signedServices } from '../../../src/index.ts'
import { reply } from '../../../src/testing/index.ts'
import { useGateway } from '../../support/helpers.ts'

const event = {
  Records: ['m-1', 'm-2', 'm-3'].map((messageId) => ({ messageId, body: JSON.stringify({ messageId }) })),
} as SQSEvent

describe('@middy/sqs-partial-batch-failure', () => {
  it('gives back the messages whose calls failed, and logs their errors', async () => {
    const gateway = await useGateway({
      integration: {
        'POST /publish': ({ json }) => ((json as SQSRecord).messageId === 'm-2' ? reply(422, { message: 'no' }) : {}),
      },
    })
    const logger = vi.fn()
    const handler = middy<SQSEvent>()
      .use(signedServices({ services: ['integration'] }))
      .use(sqsPartialBatchFailure({ logger }))
      .handler(async ({ Records }, { services: { integration } }) =>
        Promise.allSettled(Records.map(({ body }) => integration.post('publish', { json: JSON.parse(body) }))),
      )
    expect(await handler(event, {} as ServicesContext<'integration'>)).toEqual({
      batchItemFailures: [{ itemIdentifier: 'm-2' }],
    })
    expect(gateway.requests).toHaveLength(3)
    expect(logger).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ code: 'ERR_SERVICE_RESPONSE', status: 422 }),
      event.Records[1],
    )
  })
})

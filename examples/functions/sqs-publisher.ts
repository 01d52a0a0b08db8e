import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import signedServices from '../../src/index.ts'

/**
 * Publishes the articles of a queue. Only the messages that failed go back to it; the event source mapping needs
 * `ReportBatchItemFailures`. A message that comes twice, or a call that is retried, has the same idempotency key.
 */
export const handler = middy<SQSEvent, SQSBatchResponse>()
  .use(signedServices({ services: ['integration'] }))
  .handler(async ({ Records }, { services: { integration } }) => {
    const publish = async ({ messageId, body }: SQSRecord) => {
      await integration.post('publish/article', {
        json: JSON.parse(body),
        headers: { 'idempotency-key': messageId },
      })
    }
    const batchItemFailures: SQSBatchResponse['batchItemFailures'] = []
    await Promise.all(
      Records.map((record) =>
        publish(record).catch((error: Error) => {
          console.warn(`Message ${record.messageId} goes back to the queue: ${error.message}`)
          batchItemFailures.push({ itemIdentifier: record.messageId })
        }),
      ),
    )
    return { batchItemFailures }
  })

import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import signedServices from 'middy-signed-services'

/**
 * Publishes the articles of a queue. Only failed messages return to the queue; the event source mapping needs
 * `ReportBatchItemFailures`. A repeated message and a retried call have the same idempotency key.
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
          console.warn(`Message ${record.messageId} returns to the queue: ${error.message}`)
          batchItemFailures.push({ itemIdentifier: record.messageId })
        }),
      ),
    )
    return { batchItemFailures }
  })

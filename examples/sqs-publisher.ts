/** Runs `functions/sqs-publisher.ts`: one of three messages cannot be published and returns to the queue. */
import { deepStrictEqual as equal } from 'node:assert/strict'
import type { SQSEvent } from 'aws-lambda'
import { reply } from 'middy-signed-services/testing'
import { localContext, runLocally } from './support/run-locally.ts'

const published: unknown[] = []
const routes = {
  'POST /publish/article': ({ json }: { json: unknown }) => {
    const { contentId } = json as { contentId: string }
    if (contentId === 'c-2') return reply(422, { message: 'The article has no title' })
    published.push(contentId)
    return { success: true }
  },
}

await runLocally({ integration: routes }, async (gateway) => {
  const { handler } = await import('./functions/sqs-publisher.ts')
  // A lost connection: with its idempotency key, the POST may be sent again.
  gateway.fail('integration *', { fault: 'reset-after-read', times: 1 })
  const Records = ['c-1', 'c-2', 'c-3'].map((contentId, index) => ({
    messageId: `m-${index + 1}`,
    body: JSON.stringify({ contentId, platforms: ['linkedin'] }),
  }))
  const result = await handler({ Records } as SQSEvent, localContext())

  console.log('Published:', published.sort().join(', '))
  console.log('Returned to SQS:', JSON.stringify(result))
  equal(published, ['c-1', 'c-3'])
  equal(result, { batchItemFailures: [{ itemIdentifier: 'm-2' }] })
})

/** Runs `functions/notify-services.ts`: one of three services fails; the receipts of the others are returned. */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { runLocally } from './support/run-locally.ts'

const services = {
  ai: { 'POST /events': { receipt: 'a-1' } },
  integration: { 'POST /events': { receipt: 'i-1' } },
  background: { 'POST /events': { receipt: 'b-1' } },
}

await runLocally(services, async (gateway) => {
  const { notifyServices } = await import('./functions/notify-services.ts')
  gateway.fail('integration *', 'bad-gateway')
  const { receipts, failed } = await notifyServices({ type: 'article.published', id: 'c-1' })

  console.log('Receipts:', JSON.stringify(receipts))
  console.log('Not notified:', failed.join(', '))
  equal(receipts, [{ receipt: 'a-1' }, undefined, { receipt: 'b-1' }])
  equal(failed, ['INTEGRATION'])
})

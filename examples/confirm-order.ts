/** Runs `functions/confirm-order.ts`: a reset connection, a 503 response, then the confirmation. */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { runLocally } from './support/run-locally.ts'

await runLocally({ integration: { 'POST /orders/:id/confirmation': { confirmation: 'ok-1' } } }, async (gateway) => {
  const { confirmOrder } = await import('./functions/confirm-order.ts')
  // The newest fault comes first.
  gateway.fail('integration *', { status: 503, times: 1 })
  gateway.fail('integration *', { fault: 'reset-after-read', times: 1 })
  const confirmation = await confirmOrder({ id: 'o-1', total: 42 })

  console.log('Confirmation:', confirmation)
  equal(confirmation, 'ok-1')
  equal(
    gateway.requests.map(({ status }) => status),
    [0, 503, 200],
  )
})

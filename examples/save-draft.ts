/** Runs `functions/save-draft.ts`: the gateway rejects the bare `fetch` and accepts the signed call. */
import { deepStrictEqual as equal, rejects } from 'node:assert/strict'
import { runLocally } from './support/run-locally.ts'

await runLocally({ integration: { 'POST /drafts': { draftId: 'd-1' } } }, async (gateway) => {
  const { saveDraft, saveDraftUnsigned } = await import('./functions/save-draft.ts')
  const draft = { title: 'Signed requests', text: '...' }

  await rejects(saveDraftUnsigned(draft), (error: Error) => {
    console.log('Before:', error.message)
    return error.message.includes('403')
  })
  const draftId = await saveDraft(draft)
  console.log('After: ', draftId)

  equal(draftId, 'd-1')
  equal(
    gateway.requests.map(({ status }) => status),
    [403, 200],
  )
})

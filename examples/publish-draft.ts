/** Runs `functions/publish-draft.ts`: with a review, then with a review that takes too long. */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { localContext, runLocally } from './support/run-locally.ts'

const services = {
  ai: { 'GET /drafts/:id/review': { verdict: 'good' } },
  integration: { 'POST /publish/draft': { success: true } },
}

await runLocally(services, async (gateway) => {
  const { handler } = await import('./functions/publish-draft.ts')
  const publish = async () => {
    const result = await handler({ draftId: 'd-1' }, localContext())
    console.log('Returned:', JSON.stringify(result))
    return result
  }

  equal(await publish(), { published: true, verdict: 'good' })
  gateway.fail('ai *', 'hang')
  equal(await publish(), { published: true, verdict: 'not reviewed' })
})

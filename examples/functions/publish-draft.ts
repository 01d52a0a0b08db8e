import middy from '@middy/core'
import signedServices, { type ServicesContext, ServiceTimeoutError } from 'middy-signed-services'

interface DraftToPublish {
  readonly draftId: string
}

/** Publishes a draft unless its review rejects it. A review that times out does not prevent publication. */
export async function publishDraft(
  { draftId }: DraftToPublish,
  { services: { ai, integration } }: ServicesContext<'ai' | 'integration'>,
) {
  const review = async () => {
    try {
      return (await ai.get(`drafts/${draftId}/review`).json<{ verdict: string }>()).verdict
    } catch (error) {
      if (error instanceof ServiceTimeoutError) return 'not reviewed'
      throw error
    }
  }
  const verdict = await review()
  if (verdict === 'rejected') return { published: false, verdict }
  await integration.post('publish/draft', { json: { draftId, verdict } })
  return { published: true, verdict }
}

export const handler = middy<DraftToPublish>()
  .use(signedServices({ services: { ai: { timeout: 2_000 }, integration: {} } }))
  .handler(publishDraft)

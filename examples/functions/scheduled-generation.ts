import middy from '@middy/core'
import signedServices from '../../src/index.ts'

/** The input of an EventBridge schedule; `slot` is its `<aws.scheduler.scheduled-time>`. */
interface ScheduledPost {
  readonly scheduleId: string
  readonly slot: string
  readonly brief: { readonly topic: string; readonly platform: string; readonly tone?: string }
}

/**
 * Asks the AI service for a post and answers with the job that writes it. When the call fails, so does the function, and
 * Lambda runs it again for the same slot: the idempotency key keeps one slot from becoming two jobs.
 */
export const handler = middy<ScheduledPost>()
  .use(signedServices({ services: ['ai'] }))
  .handler(async ({ scheduleId, slot, brief }, { services: { ai } }) => {
    const { jobId } = await ai
      .post('generate/social-post', { json: brief, headers: { 'idempotency-key': `${scheduleId}@${slot}` } })
      .json<{ jobId: string }>()
    return { jobId, slot }
  })

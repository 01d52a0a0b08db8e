import middy from '@middy/core'
import signedServices from 'middy-signed-services'

/** The input of an EventBridge schedule; `slot` is its `<aws.scheduler.scheduled-time>`. */
interface ScheduledPost {
  readonly scheduleId: string
  readonly slot: string
  readonly brief: { readonly topic: string; readonly platform: string; readonly tone?: string }
}

/**
 * Requests a post from the AI service and returns the id of its job. If the call fails, the function fails, and Lambda
 * invokes it again for the same slot. The idempotency key prevents a second job for that slot.
 */
export const handler = middy<ScheduledPost>()
  .use(signedServices({ services: ['ai'] }))
  .handler(async ({ scheduleId, slot, brief }, { services: { ai } }) => {
    const { jobId } = await ai
      .post('generate/social-post', { json: brief, headers: { 'idempotency-key': `${scheduleId}@${slot}` } })
      .json<{ jobId: string }>()
    return { jobId, slot }
  })

import middy from '@middy/core'
import signedServices from 'middy-signed-services'

interface BlogPostRequest {
  readonly userId: string
  readonly topic: string
}

/** Generates a post with the AI service, publishes it, reads its views, and records who published it. */
export const handler = middy<BlogPostRequest>()
  .use(signedServices())
  .handler(async ({ userId, topic }, { services: { ai, integration, background, admin } }) => {
    const { jobId } = await ai.post('generate/blog-post', { json: { userId, topic } }).json<{ jobId: string }>()
    const platforms = ['facebook', 'linkedin']
    await integration.post('publish/blog', { json: { userId, contentId: jobId, platforms } })
    const { views } = await background.get('analytics/views', { searchParams: { jobId } }).json<{ views: number }>()
    await admin.put(`audit/${jobId}`, { json: { userId, platforms } })
    return { jobId, views }
  })

import middy from '@middy/core'
import signedServices from 'middy-signed-services'

interface PostRequest {
  readonly topic: string
}

export const handler = middy<PostRequest>()
  .use(signedServices({ services: ['ai'] }))
  .handler(async ({ topic }, { services: { ai } }) => {
    const { jobId } = await ai.post('generate/blog-post', { json: { topic } }).json<{ jobId: string }>()
    return { jobId }
  })

import middy from '@middy/core'
import signedServices, { type ServicesContext } from '../../src/index.ts'

interface PostRequest {
  readonly topic: string
}

export async function writePost({ topic }: PostRequest, { services: { ai } }: ServicesContext<'ai'>) {
  const { jobId } = await ai.post('generate/blog-post', { json: { topic } }).json<{ jobId: string }>()
  return { jobId }
}

export const handler = middy<PostRequest>()
  .use(signedServices({ services: ['ai'] }))
  .handler(writePost)

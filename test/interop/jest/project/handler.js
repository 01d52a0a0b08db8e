import middy from '@middy/core'
import signedServices from 'middy-signed-services'

export const handler = middy()
  .use(signedServices({ services: ['ai', 'integration'] }))
  .handler(async ({ topic }, { services: { ai, integration } }) => {
    const { jobId } = await ai.post('generate', { json: { topic } }).json()
    await integration.put(`posts/${jobId}`, { json: { topic } })
    return { jobId }
  })

import type { ServicesContext } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({
  ai: { 'POST /generate/blog-post': { jobId: 'job-1' } },
  integration: { 'POST /publish/blog': {} },
})

// #region

import middy from '@middy/core'
import signedServices from 'middy-signed-services'
import { invokeAiService, invokeIntegrationService } from 'middy-signed-services/request-signer'

interface BlogPostRequest {
  readonly userId: string
  readonly topic: string
}

export const before = async ({ userId, topic }: BlogPostRequest) => {
  const { jobId } = await invokeAiService<{ jobId: string }>('/generate/blog-post', 'POST', { userId, topic })
  await invokeIntegrationService('/publish/blog', 'POST', { userId, contentId: jobId })
  return { jobId }
}

export const after = middy<BlogPostRequest>()
  .use(signedServices({ services: ['ai', 'integration'] }))
  .handler(async ({ userId, topic }, { services: { ai, integration } }) => {
    const { jobId } = await ai.post('generate/blog-post', { json: { userId, topic } }).json<{ jobId: string }>()
    await integration.post('publish/blog', { json: { userId, contentId: jobId } })
    return { jobId }
  })

// #endregion

const event = { userId: 'u-1', topic: 'SigV4' }
expect(await before(event)).toEqual({ jobId: 'job-1' })
expect(await after(event, {} as ServicesContext<'ai' | 'integration'>)).toEqual({ jobId: 'job-1' })
const sent = gateway.requests.map(({ method, path, json }) => [method, path, json])
expect(sent.slice(2)).toEqual(sent.slice(0, 2))

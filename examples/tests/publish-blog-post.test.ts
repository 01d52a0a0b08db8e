import type { ServicesContext } from 'middy-signed-services'
import { mockServices } from 'middy-signed-services/testing'
import { expect, it } from 'vitest'
import { handler } from '../publish-blog-post.ts'

it('publishes the post that the AI service wrote', async () => {
  const services = mockServices({
    ai: { 'POST /generate/blog-post': { jobId: 'job-1' } },
    integration: { 'POST /publish/blog': {} },
    background: { 'GET /analytics/views': { views: 3 } },
    admin: { 'PUT /audit/:jobId': {} },
  })
  const event = { userId: 'u-1', topic: 'Signed requests' }
  const context = { ...({} as ServicesContext), services }
  expect(await handler(event, context)).toEqual({ jobId: 'job-1', views: 3 })
  expect(services.integration.calls).toMatchObject([{ json: { contentId: 'job-1' } }])
})

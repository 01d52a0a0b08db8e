import type { ServicesContext } from 'middy-signed-services'
import { fail, mockServices } from 'middy-signed-services/testing'
import { expect, it } from 'vitest'
import { handler } from './handler.ts'

const event = { topic: 'Signed requests' }
const context = {} as ServicesContext<'ai'>

it('returns the job of the AI service', async () => {
  const services = mockServices({ ai: { 'POST /generate/blog-post': { jobId: 'job-1' } } })
  expect(await handler(event, { ...context, services })).toEqual({ jobId: 'job-1' })
  expect(services.ai.calls).toMatchObject([{ method: 'POST', json: event }])
})

it('fails if the gateway rejects the call', async () => {
  const services = mockServices({ ai: { 'POST /generate/blog-post': fail('access-denied') } })
  await expect(handler(event, { ...context, services })).rejects.toMatchObject({ code: 'ERR_SERVICE_AUTH' })
})

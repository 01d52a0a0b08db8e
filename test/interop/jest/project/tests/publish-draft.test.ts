import { expect, jest, test } from '@jest/globals'
import { ServiceAuthError, type ServicesContext } from 'middy-signed-services'
import { fail, type MockServices, mockServices, reply } from 'middy-signed-services/testing'
import { handler, publishDraft } from '../functions/publish-draft.ts'

const event = { draftId: 'd-1' }
const contextWith = (services: MockServices<'ai' | 'integration'>) =>
  ({ services }) as unknown as ServicesContext<'ai' | 'integration'>

test('publishes a draft after its review', async () => {
  const services = mockServices({
    ai: { 'GET /drafts/:id/review': { verdict: 'good' } },
    integration: { 'POST /publish/draft': { success: true } },
  })
  expect(await publishDraft(event, contextWith(services))).toEqual({ published: true, verdict: 'good' })
  expect(services.integration.calls).toMatchObject([{ json: { draftId: 'd-1', verdict: 'good' } }])
})

test('fails when the gateway rejects the call', async () => {
  const services = mockServices({
    ai: { 'GET /drafts/:id/review': { verdict: 'good' } },
    integration: { 'POST /publish/draft': reply(403, { message: 'Forbidden' }) },
  })
  await expect(handler(event, contextWith(services))).rejects.toThrow(ServiceAuthError)
})

test('retries a lost connection, under fake timers too', async () => {
  jest.useFakeTimers()
  const services = mockServices({ ai: { 'GET /drafts/:id/review': fail('network') }, integration: {} })
  await expect(handler(event, contextWith(services))).rejects.toMatchObject({ code: 'ERR_SERVICE_NETWORK' })
  expect(services.ai.calls).toHaveLength(3)
  jest.useRealTimers()
})

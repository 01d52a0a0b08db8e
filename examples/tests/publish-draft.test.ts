import mockContext from 'aws-lambda-mock-context'
import type { ServicesContext } from 'middy-signed-services'
import { fail, mockServices, reply } from 'middy-signed-services/testing'
import { describe, expect, it, vi } from 'vitest'
import { handler, publishDraft } from '../functions/publish-draft.ts'

const event = { draftId: 'd-1' }
const context = mockContext({ timeout: 60 })

describe('publishDraft, the bare handler', () => {
  it('publishes a draft after its review', async () => {
    const services = mockServices({
      ai: { 'GET /drafts/:id/review': ({ params }) => ({ verdict: params.id === 'd-1' ? 'good' : 'rejected' }) },
      integration: { 'POST /publish/draft': { success: true } },
    })
    expect(await publishDraft(event, { ...context, services })).toEqual({ published: true, verdict: 'good' })
    expect(services.integration.calls).toMatchObject([
      { method: 'POST', path: '/publish/draft', json: { draftId: 'd-1', verdict: 'good' } },
    ])
  })

  it('publishes without a review that times out', async () => {
    const services = mockServices({
      ai: { 'GET /drafts/:id/review': fail('timeout') },
      integration: { 'POST /publish/draft': { success: true } },
    })
    expect(await publishDraft(event, { ...context, services })).toEqual({ published: true, verdict: 'not reviewed' })
  })

  it('throws when the gateway rejects the call', async () => {
    const services = mockServices({
      ai: { 'GET /drafts/:id/review': { verdict: 'good' } },
      integration: { 'POST /publish/draft': reply(403, { message: 'Forbidden' }) },
    })
    await expect(publishDraft(event, { ...context, services })).rejects.toMatchObject({
      name: 'ServiceAuthError',
      service: 'integration',
      status: 403,
    })
  })

  it('also takes hand-written services', async () => {
    const services = {
      ai: { get: vi.fn(() => ({ json: async () => ({ verdict: 'rejected' }) })) },
      integration: { post: vi.fn() },
    }
    const handWritten = { ...context, services } as unknown as ServicesContext<'ai' | 'integration'>
    expect(await publishDraft(event, handWritten)).toEqual({ published: false, verdict: 'rejected' })
    expect(services.integration.post).not.toHaveBeenCalled()
  })
})

describe('handler, the whole chain', () => {
  it('uses the services that are already on the context', async () => {
    const services = mockServices({
      ai: { 'GET /drafts/:id/review': { verdict: 'rejected' } },
      integration: {},
    })
    expect(await handler(event, { ...context, services })).toEqual({ published: false, verdict: 'rejected' })
    expect(services.ai.calls).toHaveLength(1)
    expect(services.integration.calls).toEqual([])
  })
})

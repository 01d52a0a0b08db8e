import mockContext from 'aws-lambda-mock-context'
import { ServiceAuthError } from 'middy-signed-services'
import { mockEnv, mockServices, reply } from 'middy-signed-services/testing'
import { expect } from 'vitest'
import { setEnv } from '../../support/helpers.ts'

setEnv(mockEnv())
const { publishDraft } = await import('../../../examples/functions/publish-draft.ts')
const context = mockContext({ timeout: 60 })

// #region

const services = mockServices({
  ai: { 'GET /drafts/:id/review': ({ params }) => ({ verdict: params.id === 'd-1' ? 'good' : 'rejected' }) },
  integration: { 'POST /publish/draft': reply(403, { message: 'Forbidden' }) },
})
await expect(publishDraft({ draftId: 'd-1' }, { ...context, services })).rejects.toThrow(ServiceAuthError)
expect(services.integration.calls).toMatchObject([{ method: 'POST', path: '/publish/draft' }])

// #endregion

expect(services.ai.calls).toHaveLength(1)

import mockContext from 'aws-lambda-mock-context'
import type { ServicesContext } from 'middy-signed-services'
import { type LocalGateway, startLocalGateway } from 'middy-signed-services/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'

let gateway: LocalGateway
let handler: typeof import('../functions/publish-draft.ts').handler
const context = mockContext({ timeout: 60 }) as ServicesContext<'ai' | 'integration'>

beforeAll(async () => {
  gateway = await startLocalGateway({
    services: {
      ai: { 'GET /drafts/:id/review': { verdict: 'good' } },
      integration: { 'POST /publish/draft': { success: true } },
    },
  })
  Object.assign(process.env, gateway.env)
  // The middleware reads its variables when this module loads.
  handler = (await import('../functions/publish-draft.ts')).handler
})
afterAll(() => gateway.close())

it('signs its calls and survives a lost connection', async () => {
  gateway.fail('ai GET /drafts/:id/review', { fault: 'reset-after-read', times: 1 })
  expect(await handler({ draftId: 'd-1' }, context)).toEqual({ published: true, verdict: 'good' })
  expect(gateway.requests.slice(-3)).toMatchObject([
    { service: 'ai', method: 'GET', path: '/drafts/d-1/review', status: 0 },
    { service: 'ai', status: 200, signature: { verified: true } },
    { service: 'integration', method: 'POST', json: { draftId: 'd-1' }, status: 200, signature: { verified: true } },
  ])
})

it('reports the missing permission', async () => {
  gateway.fail('integration *', { fault: 'access-denied', times: 1 })
  await expect(handler({ draftId: 'd-2' }, context)).rejects.toMatchObject({
    name: 'ServiceAuthError',
    reason: 'access-denied',
    hint: expect.stringContaining('execute-api:Invoke'),
  })
})

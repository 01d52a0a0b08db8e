import type { ServicesContext } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /topics': [] }, integration: { 'PUT /drafts/:id': {} } })

// #region

import middy from '@middy/core'
import signedServices from 'middy-signed-services'

export const handler = middy<{ draftId: string }>()
  .use(signedServices({ services: { ai: { timeout: 5_000 }, integration: {} }, deadlineMargin: 500 }))
  .handler(async ({ draftId }, { services: { ai, integration } }) => {
    // Each attempt may take 2 seconds, all attempts and the waiting between them 6.
    const topics = await ai.get('topics', { timeout: 2_000, totalTimeout: 6_000 }).json()
    await integration.put(`drafts/${encodeURIComponent(draftId)}`, { json: { topics } })
  })

// #endregion

const context = { getRemainingTimeInMillis: () => 3_000 } as ServicesContext<'ai' | 'integration'>
await handler({ draftId: 'd-1' }, context)
expect(gateway.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /topics', 'PUT /drafts/d-1'])
gateway.fail('ai *', 'hang')
const late = { getRemainingTimeInMillis: () => 550 } as ServicesContext<'ai' | 'integration'>
await expect(handler({ draftId: 'd-1' }, late)).rejects.toMatchObject({ deadline: true })

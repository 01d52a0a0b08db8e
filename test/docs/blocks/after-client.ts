import { mockEnv, mockServices } from 'middy-signed-services/testing'
import { expect } from 'vitest'
import { setEnv } from '../../support/helpers.ts'

setEnv(mockEnv())

// #region

import middy from '@middy/core'
import signedServices from 'middy-signed-services'

interface Draft {
  readonly title: string
  readonly text: string
}

export const handler = middy<Draft>()
  .use(signedServices({ services: ['integration'] }))
  .handler(async (draft, { services: { integration } }) => {
    const { draftId } = await integration.post('drafts', { json: draft }).json<{ draftId: string }>()
    return draftId
  })

// #endregion

const services = mockServices({ integration: { 'POST /drafts': { draftId: 'd-1' } } })
expect(await handler({ title: 'Title', text: 'Text' }, { services } as never)).toBe('d-1')

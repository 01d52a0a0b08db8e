import { expect } from 'vitest'
import { setEnv, useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({
  integration: { 'POST /drafts': { draftId: 'd-1' } },
  archive: { 'GET /articles': ({ searchParams }) => searchParams },
})
setEnv({ ARCHIVE_URL: gateway.env.ARCHIVE_SERVICE_API_URL })
const [title, text] = ['Title', 'Text']

// #region

import { invokeApiGateway, invokeIntegrationService } from 'middy-signed-services/request-signer'

const { draftId } = await invokeIntegrationService<{ draftId: string }>('/drafts', 'POST', { title, text })
const { ARCHIVE_URL = '' } = process.env
const page = await invokeApiGateway(ARCHIVE_URL, 'GET', '/articles', undefined, { limit: 20 })

// #endregion

expect([draftId, page]).toEqual(['d-1', { limit: '20' }])
expect(gateway.requests[0]?.json).toEqual({ title, text })

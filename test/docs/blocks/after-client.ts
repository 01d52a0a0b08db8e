import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

await useGateway({ integration: { 'POST /drafts': { draftId: 'd-1' } } })
const services = createServices({ services: ['integration'] })
const draft = { title: 'Title', text: 'Text' }

// #region

const { draftId } = await services.integration.post('drafts', { json: draft }).json<{ draftId: string }>()

// #endregion

expect(draftId).toBe('d-1')

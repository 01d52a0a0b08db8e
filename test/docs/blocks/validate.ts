import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { z } from 'zod'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ integration: { 'POST /drafts': { draftId: 'd-1' } } })
const { integration } = createServices({ services: ['integration'] })
const event = { title: 'Title', text: 'Text', isAdmin: true }

// #region

const Draft = z.object({ title: z.string().min(1), text: z.string() })
const Saved = z.object({ draftId: z.string() })

const draft = Draft.parse(event)
const { draftId } = await integration.post('drafts', { json: draft }).json(Saved)

// #endregion

expect(draftId).toBe('d-1')
expect(gateway.requests[0]?.json).toEqual({ title: 'Title', text: 'Text' })

import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ integration: { 'POST /drafts': { draftId: 'd-1' } } })

// #region

import { createServices } from 'middy-signed-services'
import { z } from 'zod'

const Saved = z.object({ draftId: z.string() })

const { integration } = createServices({ services: ['integration'] })
const { draftId } = await integration.post('drafts', { json: { title: 'Title' } }).json(Saved)

// #endregion

expect(draftId).toBe('d-1')
expect(gateway.requests[0]?.json).toEqual({ title: 'Title' })

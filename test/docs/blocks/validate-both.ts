import type { ServicesContext } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ integration: { 'POST /drafts': { draftId: 'd-1' } } })

// #region

import middy from '@middy/core'
import signedServices from 'middy-signed-services'
import { z } from 'zod'

const Draft = z.object({ title: z.string().min(1), text: z.string() })
const Saved = z.object({ draftId: z.string() })

export const handler = middy()
  .use(signedServices({ services: ['integration'] }))
  .handler(async (event, { services: { integration } }) => {
    const draft = Draft.safeParse(event)
    if (!draft.success) return { statusCode: 400, body: z.prettifyError(draft.error) }
    const { draftId } = await integration.post('drafts', { json: draft.data }).json(Saved)
    return { statusCode: 201, body: draftId }
  })

// #endregion

const context = () => ({}) as ServicesContext<'integration'>
expect(await handler({ title: 'Title', text: 'Text' }, context())).toEqual({ statusCode: 201, body: 'd-1' })
expect(await handler({ title: '' }, context())).toMatchObject({ statusCode: 400 })
gateway.fail('integration *', { status: 200, body: { draftId: 1 } })
const draft = { title: 'Title', text: 'Text' }
await expect(handler(draft, context())).rejects.toMatchObject({
  name: 'SchemaValidationError',
  issues: [{ path: ['draftId'] }],
})
expect(gateway.requests).toHaveLength(2)

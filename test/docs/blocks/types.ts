import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

await useGateway({ ai: { 'GET /jobs/:id/text': ({ params }) => params.id }, integration: { 'GET /drafts': ['d-1'] } })

// #region

import middy from '@middy/core'
import signedServices, { type ServiceClient, type ServicesContext } from 'middy-signed-services'

type Context = ServicesContext<'ai' | 'integration'>

const services = ['ai', 'integration'] as const

async function publish({ id }: { id: string }, { services: { ai, integration } }: Context) {
  return { text: await textOf(ai, id), drafts: await integration.get('drafts').json<string[]>() }
}

async function textOf(client: ServiceClient, id: string): Promise<string> {
  return client.get(`jobs/${encodeURIComponent(id)}/text`).text()
}

export const handler = middy<{ id: string }>().use(signedServices({ services })).handler(publish)

// #endregion

expect(await handler({ id: 'a/b' }, {} as Context)).toEqual({ text: 'a/b', drafts: ['d-1'] })

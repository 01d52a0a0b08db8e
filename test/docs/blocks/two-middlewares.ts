import type { ServicesContext } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

await useGateway({ ai: { 'GET /topics': ['tea'] }, search: { 'GET /articles': [] } })

// #region

import middy from '@middy/core'
import signedServices from 'middy-signed-services'

export const handler = middy()
  .use(signedServices({ services: ['ai'] }))
  .use(signedServices({ services: ['search'], timeout: 1_000, pendingCalls: 'await' }))
  .handler(async (_event, { services: { ai, search } }) => ({
    topics: await ai.get('topics').json(),
    found: await search.get('articles').json(),
  }))

// #endregion

expect(await handler({}, {} as ServicesContext<'ai' | 'search'>)).toEqual({ topics: ['tea'], found: [] })

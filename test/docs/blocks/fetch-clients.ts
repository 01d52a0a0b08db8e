import type { Hono } from 'hono'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

interface Paths {
  '/jobs': { get: { responses: { 200: { content: { 'application/json': string[] } } } } }
}
type ContentApp = Hono<
  object,
  { '/posts': { $get: { input: object; output: string[]; outputFormat: 'json'; status: 200 } } }
>

const gateway = await useGateway({
  ai: { 'GET /jobs': ['job-1'] },
  content: { 'GET /posts': ['post-1'] },
  search: { 'POST /graphql': { data: { found: 'article-1' } } },
})

// #region

import { GraphQLClient } from 'graphql-request'
import { hc } from 'hono/client'
import { createServices } from 'middy-signed-services'
import createClient from 'openapi-fetch'

const { ai, content, search } = createServices({ services: ['ai', 'content', 'search'] })

export const openApi = createClient<Paths>({ baseUrl: ai.url, fetch: ai.fetch })
export const hono = hc<ContentApp>(content.url, { fetch: content.fetch })
export const graphQl = new GraphQLClient(`${search.url}/graphql`, { fetch: search.fetch })

// #endregion

expect((await openApi.GET('/jobs')).data).toEqual(['job-1'])
expect(await (await hono.posts.$get()).json()).toEqual(['post-1'])
expect(await graphQl.request('{ found }')).toEqual({ found: 'article-1' })
expect(gateway.requests.map(({ signature }) => signature.verified)).toEqual([true, true, true])

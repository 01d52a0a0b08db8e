import { createTRPCClient, httpBatchLink, httpLink } from '@trpc/client'
import { initTRPC } from '@trpc/server'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { GraphQLClient } from 'graphql-request'
import { Hono } from 'hono'
import { hc } from 'hono/client'
import createOpenApiClient from 'openapi-fetch'
import { beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createServices, type ServiceClient } from '../../src/index.ts'
import { type LocalGateway, type RouteRequest, reply } from '../../src/testing/index.ts'
import { rejection, setEnv, TRACE_ID, useGateway } from '../support/helpers.ts'

/** As openapi-typescript writes it. */
interface Paths {
  '/jobs/{id}': {
    get: {
      parameters: { path: { id: string }; query?: { verbose?: boolean } }
      responses: {
        200: { content: { 'application/json': { id: string; query: Record<string, string> } } }
        404: { content: { 'application/json': { message: string } } }
      }
    }
  }
  '/jobs': {
    post: {
      requestBody: { content: { 'application/json': { topic: string } } }
      responses: { 201: { content: { 'application/json': { jobId: string } } } }
    }
  }
}

const honoApp = new Hono()
  .get('/jobs/:id', (context) => context.json({ id: context.req.param('id') }))
  .post('/jobs', async (context) => context.json({ got: await context.req.json() }, 201))

const t = initTRPC.create()
const router = t.router({
  job: t.procedure.input(z.object({ id: z.string() })).query(({ input }) => ({ id: input.id })),
  create: t.procedure.input(z.object({ topic: z.string() })).mutation(({ input }) => ({ created: input.topic })),
})

/** Converts what the gateway received to the Request that a server library takes, and its Response to a reply. */
async function serve(
  { method, target, headers, body }: RouteRequest & { target?: string },
  handle: (request: Request) => Promise<Response> | Response,
) {
  const hasBody = !['GET', 'HEAD'].includes(method)
  const request = new Request(`http://server${target}`, {
    method,
    headers,
    ...(hasBody && { body: Buffer.from(body) }),
  })
  const response = await handle(request)
  return reply(response.status, await response.text(), {
    'content-type': response.headers.get('content-type') ?? 'text/plain',
  })
}

let gateway: LocalGateway
let ai: ServiceClient
beforeEach(async () => {
  const hono = (request: RouteRequest) =>
    serve({ ...request, target: request.path }, (received) => honoApp.fetch(received))
  const trpc = (request: RouteRequest) =>
    serve({ ...request, target: `${request.path}?${new URLSearchParams(request.searchParams)}` }, (req) =>
      fetchRequestHandler({ endpoint: '/trpc', req, router }),
    )
  gateway = await useGateway({
    ai: {
      'GET /jobs/:id': ({ params, searchParams }) =>
        params.id === '0' ? reply(404, { message: 'no such job' }) : { id: params.id, query: searchParams },
      'POST /jobs': ({ json }) => reply(201, { jobId: (json as { topic: string }).topic }),
      'POST /graphql': ({ json }) => ({ data: { echo: json } }),
      'GET /trpc/:procedure': trpc,
      'POST /trpc/:procedure': trpc,
    },
    integration: { 'GET /jobs/:id': hono, 'POST /jobs': hono },
  })
  setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
  ai = createServices({ services: ['ai'] }).ai
})

/** That everything that arrived was signed and traced. */
function expectSigned(count: number): void {
  expect(gateway.requests.map(({ signature, headers }) => [signature.verified, headers['x-amzn-trace-id']])).toEqual(
    Array.from({ length: count }, () => [true, TRACE_ID]),
  )
}

describe("a service's fetch carries", () => {
  it('openapi-fetch', async () => {
    const client = createOpenApiClient<Paths>({ baseUrl: ai.url, fetch: ai.fetch })
    const found = await client.GET('/jobs/{id}', { params: { path: { id: "a b's (1)" }, query: { verbose: true } } })
    expect(found.data).toEqual({ id: "a b's (1)", query: { verbose: 'true' } })
    const missing = await client.GET('/jobs/{id}', { params: { path: { id: '0' } } })
    expect([missing.response.status, missing.error]).toEqual([404, { message: 'no such job' }])
    expect((await client.POST('/jobs', { body: { topic: 'ü' } })).data).toEqual({ jobId: 'ü' })
    expectSigned(3)
  })

  it("hono's hc", async () => {
    const { integration } = createServices({ services: ['integration'] })
    const client = hc<typeof honoApp>(integration.url, { fetch: integration.fetch })
    expect(await (await client.jobs[':id'].$get({ param: { id: 'a*b' } })).json()).toEqual({ id: 'a*b' })
    const post = await integration.fetch('/jobs', { method: 'POST', body: '{"a":1}' })
    expect(await post.json()).toEqual({ got: { a: 1 } })
    expectSigned(2)
  })

  it.each([
    ['httpLink', httpLink],
    ['httpBatchLink', httpBatchLink],
  ])("tRPC's %s", async (_, link) => {
    // The cast is what global fetch needs as well, under exactOptionalPropertyTypes.
    const client = createTRPCClient<typeof router>({
      links: [link({ url: `${ai.url}/trpc`, fetch: ai.fetch as never })],
    })
    expect(await client.job.query({ id: "it's" })).toEqual({ id: "it's" })
    expect(await client.create.mutate({ topic: 'ü' })).toEqual({ created: 'ü' })
    expectSigned(2)
  })

  it('graphql-request', async () => {
    const client = new GraphQLClient(`${ai.url}/graphql`, { fetch: ai.fetch })
    const answer = await client.request('query ($id: ID!) { job(id: $id) { id } }', { id: '1' })
    expect(answer).toMatchObject({ echo: { variables: { id: '1' } } })
    expectSigned(1)
  })
})

describe('on the side of ky,', () => {
  it('.json(schema) checks with zod', async () => {
    const schema = z.object({ id: z.string(), query: z.record(z.string(), z.string()) })
    expect(await ai.get('jobs/7').json(schema)).toEqual({ id: '7', query: {} })
    const error = await rejection(ai.get('jobs/7').json(z.object({ id: z.number() })))
    expect(error).toMatchObject({ name: 'SchemaValidationError', issues: [{ path: ['id'] }] })
  })

  it('.extend() keeps signing, trace, guards and errors', async () => {
    const jobs = ai
      .extend({ searchParams: { v: 1 }, headers: { 'x-team': 'a' } })
      .extend((parent) => ({ headers: { ...parent.headers, 'x-other': 'b' } }))
    expect(await jobs.get('jobs/7').json()).toEqual({ id: '7', query: { v: '1' } })
    expect(gateway.requests[0]?.headers).toMatchObject({ 'x-team': 'a', 'x-other': 'b' })
    expect(await rejection(jobs.get('jobs/0').json())).toMatchObject({
      code: 'ERR_SERVICE_RESPONSE',
      service: 'ai',
      status: 404,
    })
    expect(await rejection(jobs.get('../x').json())).toMatchObject({ code: 'ERR_SERVICE_REQUEST' })
    expect([jobs.name, jobs.url]).toEqual(['ai', ai.url])
    expect((await jobs.fetch('jobs/7')).status).toBe(200)
    expectSigned(3)
  })
})

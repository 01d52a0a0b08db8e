import { ClientRequestInterceptor } from '@mswjs/interceptors/ClientRequest'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createServices, ServiceAuthError, type ServiceClient, ServiceResponseError } from '../../src/index.ts'
import type { LocalGateway } from '../../src/testing/index.ts'
import { rejection, setEnv, TRACE_ID, useGateway } from '../support/helpers.ts'
import { toSeenRequest } from './run-program.ts'

describe('msw', () => {
  let gateway: LocalGateway
  let ai: ServiceClient
  let mocks: ReturnType<typeof setupServer>
  let close: () => void
  beforeEach(async () => {
    gateway = await useGateway({ ai: { 'GET /jobs/:id': { from: 'gateway' }, 'POST /jobs': { from: 'gateway' } } })
    setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
    ai = createServices({ services: ['ai'], retry: { delay: () => 0 } }).ai
    mocks = setupServer()
    mocks.listen({ onUnhandledFrame: 'bypass' })
    let isOpen = true
    // It cannot be closed twice.
    close = () => {
      if (isOpen) mocks.close()
      isOpen = false
    }
    onTestFinished(close)
  })

  it('responds in place of the service, and sees a signed and traced request', async () => {
    let seen: Request | undefined
    mocks.use(
      http.post(`${gateway.url}/ai/jobs`, async ({ request }) => {
        seen = request.clone()
        return HttpResponse.json({ from: 'mock', got: await request.json() }, { status: 201 })
      }),
    )
    expect(await ai.post('jobs', { json: { topic: 'ü' } }).json()).toEqual({ from: 'mock', got: { topic: 'ü' } })
    expect((await ai.fetch('jobs', { method: 'POST', body: '{}' })).status).toBe(201)
    expect(seen?.headers.get('authorization')).toMatch(/^AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE\//)
    expect(seen?.headers.get('x-amzn-trace-id')).toBe(TRACE_ID)
    expect(gateway.requests).toEqual([])
  })

  it('has its refusals, failures and retries taken as those of a service', async () => {
    let count = 0
    mocks.use(
      http.get(`${gateway.url}/ai/jobs/denied`, () =>
        HttpResponse.json(
          { message: 'User: arn:aws:iam::1:user/x is not authorized to perform: execute-api:Invoke' },
          { status: 403, headers: { 'x-amzn-ErrorType': 'AccessDeniedException', 'x-amzn-RequestId': 'r-1' } },
        ),
      ),
      http.get(`${gateway.url}/ai/jobs/missing`, () => HttpResponse.json({ message: 'no such job' }, { status: 404 })),
      http.get(`${gateway.url}/ai/jobs/down`, () => HttpResponse.error()),
      http.get(`${gateway.url}/ai/jobs/busy`, () => {
        count += 1
        return HttpResponse.json({ count }, { status: count < 2 ? 503 : 200 })
      }),
    )
    const denied = await rejection(ai.get('jobs/denied'))
    expect(denied).toBeInstanceOf(ServiceAuthError)
    expect(denied).toMatchObject({ status: 403, reason: 'access-denied', requestId: 'r-1' })
    const missing = await rejection(ai.get('jobs/missing'))
    expect(missing).toBeInstanceOf(ServiceResponseError)
    expect(missing).toMatchObject({ status: 404, data: { message: 'no such job' } })
    expect(await rejection(ai.get('jobs/down', { retry: 0 }))).toMatchObject({ code: 'ERR_SERVICE_NETWORK' })
    expect(await ai.get('jobs/busy').json()).toEqual({ count: 2 })
    expect(gateway.requests).toEqual([])
  })

  it('lets calls out that nothing mocks, and all of them once it is closed', async () => {
    mocks.use(http.get(`${gateway.url}/ai/jobs/1`, () => HttpResponse.json({ from: 'mock' })))
    expect(await ai.get('jobs/1').json()).toEqual({ from: 'mock' })
    expect(await ai.get('jobs/2').json()).toEqual({ from: 'gateway' })
    close()
    expect(await ai.get('jobs/1').json()).toEqual({ from: 'gateway' })
    expect(gateway.requests.map(toSeenRequest)).toMatchObject([
      { path: '/ai/jobs/2', verified: true, traces: [TRACE_ID], sentBy: 'fetch' },
      { path: '/ai/jobs/1', verified: true, traces: [TRACE_ID], sentBy: 'node' },
    ])
  })

  it('responds over TLS as well, without any connection', async () => {
    const url = 'https://id.execute-api.us-east-1.amazonaws.com/prod'
    mocks.use(http.get(`${url}/jobs/1`, () => HttpResponse.json({ from: 'mock' })))
    const remote = createServices({ services: { ai: url } }).ai
    expect(await remote.get('jobs/1').json()).toEqual({ from: 'mock' })
  })
})

describe('ClientRequestInterceptor of @mswjs/interceptors, which leaves global fetch alone', () => {
  it('responds in place of the service until it is disposed of', async () => {
    const gateway = await useGateway({
      ai: { 'GET /jobs/:id': { from: 'gateway' }, 'POST /jobs': { from: 'gateway' } },
    })
    setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
    const { ai } = createServices({ services: ['ai'] })
    // The connection stays open, and must not be used for the mocked call.
    await ai.get('jobs/1')
    const interceptor = new ClientRequestInterceptor()
    const seen: Request[] = []
    interceptor.on('request', ({ request, controller }) => {
      seen.push(request)
      controller.respondWith(Response.json({ from: 'mock' }))
    })
    interceptor.apply()
    onTestFinished(() => interceptor.dispose())
    expect(await ai.get('jobs/1').json()).toEqual({ from: 'mock' })
    expect(await ai.post('jobs', { json: { topic: 'ü' } }).json()).toEqual({ from: 'mock' })
    const remote = createServices({ services: { ai: 'https://id.execute-api.us-east-1.amazonaws.com/prod' } }).ai
    expect(await remote.get('jobs/1').json()).toEqual({ from: 'mock' })
    expect(seen.map(({ headers }) => headers.get('x-amzn-trace-id'))).toEqual([TRACE_ID, TRACE_ID, TRACE_ID])
    for (const { headers } of seen) expect(headers.get('authorization')).toMatch(/^AWS4-HMAC-SHA256 /)
    interceptor.dispose()
    expect(await ai.get('jobs/1').json()).toEqual({ from: 'gateway' })
    expect(gateway.requests.map((request) => toSeenRequest(request).sentBy)).toEqual(['node', 'node'])
  })
})

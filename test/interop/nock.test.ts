import nock15 from 'nock'
import nock13 from 'nock13'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createServices, ServiceAuthError, type ServiceClient, ServiceResponseError } from '../../src/index.ts'
import type { LocalGateway } from '../../src/testing/index.ts'
import { rejection, setEnv, TRACE_ID, useGateway } from '../support/helpers.ts'
import { type SeenRequest, toSeenRequest } from './run-program.ts'

// Each is active as soon as it is imported.
nock13.restore()
nock15.restore()

describe.each<[version: string, nock: typeof nock15, sentBy: SeenRequest['sentBy']]>([
  ['nock 15', nock15, 'fetch'],
  // It replaces `node:http` and `node:https` only.
  ['nock 13', nock13 as unknown as typeof nock15, 'node'],
])('%s', (_, nock, sentBy) => {
  let gateway: LocalGateway
  let ai: ServiceClient
  beforeEach(async () => {
    gateway = await useGateway({ ai: { 'GET /jobs/:id': { from: 'gateway' }, 'POST /jobs': { from: 'gateway' } } })
    setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
    ai = createServices({ services: ['ai'], retry: { delay: () => 0 } }).ai
    nock.activate()
    onTestFinished(() => {
      nock.cleanAll()
      nock.restore()
    })
  })

  it('responds in place of the service, and sees a signed and traced request', async () => {
    const scope = nock(gateway.url)
      .post('/ai/jobs', { topic: 'ü' })
      .matchHeader('authorization', /^AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE\//)
      .matchHeader('x-amzn-trace-id', TRACE_ID)
      .twice()
      .reply(201, { from: 'mock' })
    expect(await ai.post('jobs', { json: { topic: 'ü' } }).json()).toEqual({ from: 'mock' })
    const init = { method: 'POST', body: '{"topic":"ü"}', headers: { 'content-type': 'application/json' } }
    expect((await ai.fetch('jobs', init)).status).toBe(201)
    scope.done()
    expect(gateway.requests).toEqual([])
  })

  it('has its refusals, failures and retries taken as those of a service', async () => {
    const scope = nock(gateway.url)
    scope
      .get('/ai/jobs/denied')
      .reply(
        403,
        { message: 'User: arn:aws:iam::1:user/x is not authorized to perform: execute-api:Invoke' },
        { 'x-amzn-ErrorType': 'AccessDeniedException', 'x-amzn-RequestId': 'r-1' },
      )
    scope.get('/ai/jobs/missing').reply(404, { message: 'no such job' })
    scope.get('/ai/jobs/down').replyWithError(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
    scope.get('/ai/jobs/busy').reply(503)
    scope.get('/ai/jobs/busy').reply(200, { count: 2 })
    const denied = await rejection(ai.get('jobs/denied'))
    expect(denied).toBeInstanceOf(ServiceAuthError)
    expect(denied).toMatchObject({ status: 403, reason: 'access-denied', requestId: 'r-1' })
    const missing = await rejection(ai.get('jobs/missing'))
    expect(missing).toBeInstanceOf(ServiceResponseError)
    expect(missing).toMatchObject({ status: 404, data: { message: 'no such job' } })
    expect(await rejection(ai.get('jobs/down', { retry: 0 }))).toMatchObject({
      code: 'ERR_SERVICE_NETWORK',
      networkCode: 'ECONNREFUSED',
    })
    expect(await ai.get('jobs/busy').json()).toEqual({ count: 2 })
    scope.done()
    expect(gateway.requests).toEqual([])
  })

  it('lets calls out to hosts that it does not mock, and all of them once it is restored', async () => {
    expect(await ai.get('jobs/0').json()).toEqual({ from: 'gateway' })
    nock(gateway.url).get('/ai/jobs/1').reply(200, { from: 'mock' }).persist()
    expect(await ai.get('jobs/1').json()).toEqual({ from: 'mock' })
    nock.restore()
    expect(await ai.get('jobs/1').json()).toEqual({ from: 'gateway' })
    expect(gateway.requests.map(toSeenRequest)).toMatchObject([
      { path: '/ai/jobs/0', verified: true, traces: [TRACE_ID], sentBy },
      { path: '/ai/jobs/1', verified: true, traces: [TRACE_ID], sentBy: 'node' },
    ])
  })

  it('refuses calls to hosts that it does not mock, where connections are disabled', async () => {
    nock.disableNetConnect()
    onTestFinished(() => nock.enableNetConnect())
    expect(await rejection(ai.get('jobs/1', { retry: 0 }))).toMatchObject({ code: 'ERR_SERVICE_NETWORK' })
    expect(gateway.requests).toEqual([])
  })

  it('responds over TLS as well, without any connection', async () => {
    const url = 'https://id.execute-api.us-east-1.amazonaws.com/prod'
    nock(url).get('/jobs/1').reply(200, { from: 'mock' })
    expect(
      await createServices({ services: { ai: url } })
        .ai.get('jobs/1')
        .json(),
    ).toEqual({ from: 'mock' })
  })
})

import type { APIGatewayProxyEventV2, SQSEvent } from 'aws-lambda'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { localContext } from '../../examples/support/run-locally.ts'
import { rejection, useGateway } from '../support/helpers.ts'

describe('with a fault of their own', () => {
  beforeEach(() => {
    // Each test is a cold start.
    vi.resetModules()
    vi.spyOn(console, 'warn').mockImplementation(() => {})
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it('confirmOrder gives up after four retries', async () => {
    const gateway = await useGateway({ integration: { 'POST /orders/:id/confirmation': {} } })
    gateway.fail('integration *', { status: 503, headers: { 'retry-after': '0' } })
    const { confirmOrder } = await import('../../examples/functions/confirm-order.ts')
    expect(await rejection(confirmOrder({ id: 'a/b', total: 1 }))).toMatchObject({ status: 503 })
    expect(gateway.requests.map(({ path }) => path)).toEqual(Array(5).fill('/orders/a/b/confirmation'))
  })

  it('confirmOrder does not repeat what the service refuses', async () => {
    const gateway = await useGateway({ integration: { 'POST /orders/:id/confirmation': {} } })
    gateway.fail('integration *', { status: 409 })
    const { confirmOrder } = await import('../../examples/functions/confirm-order.ts')
    expect(await rejection(confirmOrder({ id: 'o-1', total: 1 }))).toMatchObject({ status: 409 })
    expect(gateway.requests).toHaveLength(1)
  })

  it('the health check tells a refused call from a lost one', async () => {
    const route = { 'GET /health': { status: 'healthy' } }
    const gateway = await useGateway({ ai: route, integration: route, background: route, admin: route })
    gateway.fail('ai *', 'access-denied')
    gateway.fail('admin *', 'reset-after-read')
    const { handler } = await import('../../examples/functions/health-check.ts')
    const { statusCode, body } = await handler({}, localContext())
    expect(statusCode).toBe(503)
    expect(JSON.parse(body)).toEqual({
      ai: 'ERR_SERVICE_AUTH',
      integration: 'healthy',
      background: 'healthy',
      admin: 'ERR_SERVICE_NETWORK',
    })
    expect(gateway.requests).toHaveLength(4)
  })

  it('notifyServices keeps the receipts beside two kinds of failure', async () => {
    const route = { 'POST /events': ({ json }: { json: unknown }) => ({ received: json }) }
    const gateway = await useGateway({ ai: route, integration: route, background: route })
    gateway.fail('ai *', 'reset-after-read')
    gateway.fail('background *', 'access-denied')
    const { notifyServices } = await import('../../examples/functions/notify-services.ts')
    const event = { type: 'article.published', id: 'c-1' }
    expect(await notifyServices(event)).toEqual({
      receipts: [undefined, { received: event }, undefined],
      failed: ['AI', 'BACKGROUND'],
    })
    expect(console.warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('2 of 3 requests failed'))
    expect(gateway.requests).toHaveLength(3)
  })

  it('the OAuth callback does not wait for analytics that hang', async () => {
    const gateway = await useCallbackGateway()
    gateway.fail('background *', 'hang')
    const { handler } = await import('../../examples/functions/oauth-callback.ts')
    expect(await handler(CALLBACK, localContext())).toMatchObject({ statusCode: 303 })
    expect(console.warn).toHaveBeenCalledExactlyOnceWith(
      'The connection was not counted:',
      'background: POST /analytics/connections: no complete response within 1000 ms',
    )
  })

  it('the OAuth callback fails with the exchange, and counts nothing then', async () => {
    const gateway = await useCallbackGateway()
    gateway.fail('integration *', 'internal-error')
    const { handler } = await import('../../examples/functions/oauth-callback.ts')
    expect(await rejection(handler(CALLBACK, localContext()))).toMatchObject({ service: 'integration', status: 500 })
    expect(gateway.requests.map(({ service }) => service)).toEqual(['integration'])
    const denied = { ...CALLBACK, queryStringParameters: { error: 'access_denied' } }
    expect(await handler(denied, localContext())).toEqual({ statusCode: 400 })
  })

  it('saveDraft says what to do about a refusal, where the bare fetch quotes it', async () => {
    const gateway = await useGateway({ integration: { 'POST /drafts': { draftId: 'd-1' } } })
    gateway.fail('integration *', 'access-denied')
    const { saveDraft, saveDraftUnsigned } = await import('../../examples/functions/save-draft.ts')
    const draft = { title: 'Title', text: 'Text' }
    const hint = expect.stringContaining('execute-api:Invoke')
    expect(await rejection(saveDraft(draft))).toMatchObject({ name: 'ServiceAuthError', reason: 'access-denied', hint })
    expect(await rejection(saveDraftUnsigned(draft))).not.toHaveProperty('hint')
  })

  it('the scheduled function fails with the AI service, so that Lambda runs it again', async () => {
    const gateway = await useGateway({ ai: { 'POST /generate/social-post': { jobId: 'job-1' } } })
    gateway.fail('ai *', { status: 422, body: { message: 'no topic' } })
    const { handler } = await import('../../examples/functions/scheduled-generation.ts')
    const event = { scheduleId: 's-1', slot: '2025-03-03T07:00:00Z', brief: { topic: '', platform: 'linkedin' } }
    expect(await rejection(handler(event, localContext()))).toMatchObject({
      status: 422,
      data: { message: 'no topic' },
    })
  })

  it('the SQS worker gives back what failed, unreadable messages included', async () => {
    const gateway = await useGateway({ integration: { 'POST /publish/article': { success: true } } })
    const { handler } = await import('../../examples/functions/sqs-publisher.ts')
    const event = {
      Records: [
        { messageId: 'm-1', body: 'not JSON' },
        { messageId: 'm-2', body: '{"contentId":"c-2"}' },
      ],
    } as SQSEvent
    expect(await handler(event, localContext())).toEqual({ batchItemFailures: [{ itemIdentifier: 'm-1' }] })
    gateway.fail('integration *', 'quota')
    const { batchItemFailures } = await handler(event, localContext())
    expect(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).sort()).toEqual(['m-1', 'm-2'])
    expect(gateway.requests.map(({ headers }) => headers['idempotency-key'])).toEqual(['m-2', 'm-2'])
  })

  it('the suggestions fall back only once the circuit is open', async () => {
    const gateway = await useGateway({ ai: { 'GET /topics': { topics: [] } } })
    gateway.fail('ai *', 'reset-after-read')
    const { handler } = await import('../../examples/functions/suggest-topics.ts')
    const suggest = () => handler({ industry: 'software' }, localContext())
    for (let call = 1; call <= 3; call += 1) {
      expect(await rejection(suggest())).toMatchObject({ code: 'ERR_SERVICE_NETWORK' })
    }
    expect(await suggest()).toMatchObject({ source: 'fallback' })
    expect(gateway.requests).toHaveLength(3)
  })
})

const CALLBACK = {
  pathParameters: { provider: 'linkedin' },
  queryStringParameters: { code: 'abc', state: 'xyz' },
} as unknown as APIGatewayProxyEventV2

function useCallbackGateway() {
  return useGateway({
    integration: { 'POST /oauth/exchange': { userId: 'u-1' } },
    background: { 'POST /analytics/connections': { counted: true } },
  })
}

import middy from '@middy/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  createServices,
  createSignedFetch,
  type ServiceClient,
  type ServicesContext,
  signedServices,
} from '../../src/index.ts'
import { invokeAiService } from '../../src/request-signer.ts'
import type { GatewayRequest, LocalGateway } from '../../src/testing/index.ts'
import { IDENTITY, setEnv, TRACE_ID, useGateway } from '../support/helpers.ts'

/** The trace headers of a request, one for each line of its head, however the name is spelled. */
function tracesOf({ rawHeaders }: GatewayRequest): string[] {
  return rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === 'x-amzn-trace-id' && index % 2 === 1)
}

let gateway: LocalGateway
let ai: ServiceClient
beforeEach(async () => {
  gateway = await useGateway({ ai: { 'GET /jobs/:id': {}, 'POST /jobs': {} } })
  setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
  ai = createServices({ services: ['ai'], retry: { delay: () => 0 } }).ai
})
afterEach(() => {
  vi.unstubAllGlobals()
})

const sent = () => gateway.requests.map(tracesOf)

// What global fetch sends must carry the same, as `test/interop` holds for mocks and tracers that replace it.
describe.each([
  ["Node.js's client", () => {}, undefined],
  ['a replaced global fetch', replaceFetch, 'cors'],
])('the trace header, sent by %s', (_, replace, fetchMode) => {
  beforeEach(replace)

  it("is the invocation's, verbatim and once, for every kind of call", async () => {
    await ai('jobs/1')
    await ai.get('jobs/1')
    await ai.post('jobs', { json: { topic: 'ü' } })
    await ai.fetch('jobs/1')
    await ai.fetch(new Request(`${ai.url}/jobs`, { method: 'POST', body: 'ü' }))
    await ai.extend({ headers: { 'x-team': 'a' } }).get('jobs/1')
    await invokeAiService('jobs/1')
    expect(sent()).toEqual(Array(7).fill([TRACE_ID]))
    // Which only implementations of fetch send.
    expect(gateway.requests.map(({ headers }) => headers['sec-fetch-mode'])).toEqual(Array(7).fill(fetchMode))
  })

  it('is sent with each attempt', async () => {
    gateway.fail('ai GET /jobs/:id', { status: 503, times: 1 })
    gateway.fail('ai POST /jobs', { fault: 'expired-token', times: 1 })
    const identities = [{ ...IDENTITY, sessionToken: 'expired' }, IDENTITY]
    const healing = createServices({
      services: ['ai'],
      retry: { delay: () => 0 },
      credentials: ({ forceRefresh = false } = {}) => identities[forceRefresh ? 1 : 0] ?? IDENTITY,
    })
    await ai.get('jobs/1')
    await healing.ai.post('jobs')
    expect(gateway.requests.map(({ status }) => status)).toEqual([503, 200, 403, 200])
    expect(sent()).toEqual(Array(4).fill([TRACE_ID]))
  })

  it('is not signed', async () => {
    await ai.get('jobs/1')
    await ai.get('jobs/1', { headers: { 'X-Amzn-Trace-Id': 'Root=1-caller' } })
    for (const { headers, signature } of gateway.requests) {
      expect(signature.verified).toBe(true)
      expect(/SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';')).toEqual([
        'host',
        'x-amz-content-sha256',
        'x-amz-date',
        'x-amz-security-token',
      ])
    }
  })

  it.each(['X-Amzn-Trace-Id', 'x-amzn-trace-id'])("is the caller's own, where that is given as %s", async (name) => {
    const headers = { [name]: 'Root=1-caller' }
    await ai.get('jobs/1', { headers })
    await ai.fetch('jobs/1', { headers })
    await ai.fetch(new Request(`${ai.url}/jobs/1`, { headers }))
    await ai.extend({ headers }).get('jobs/1')
    await createServices({ services: ['ai'], headers }).ai.get('jobs/1')
    await createServices({ services: ['ai'], trace: false }).ai.get('jobs/1', { headers })
    await createSignedFetch({ region: 'us-east-1', service: 'execute-api' })(`${gateway.url}/ai/jobs/1`, { headers })
    expect(sent()).toEqual(Array(7).fill(['Root=1-caller']))
  })

  it('is absent with `trace: false`, and from createSignedFetch', async () => {
    const { ai } = createServices({ services: ['ai'], trace: false })
    await ai.get('jobs/1')
    await ai.fetch('jobs/1')
    await createSignedFetch({ region: 'us-east-1', service: 'execute-api' })(`${gateway.url}/ai/jobs/1`)
    expect(sent()).toEqual([[], [], []])
  })

  it('is absent where there is no trace, or one that cannot be a header', async () => {
    for (const trace of [undefined, '', 'Root=1\r\nx-other: 1', 'Root=ü']) {
      setEnv({ _X_AMZN_TRACE_ID: trace })
      await createServices({ services: ['ai'] }).ai.get('jobs/1')
    }
    expect(sent()).toEqual([[], [], [], []])
  })

  it('is that of each invocation, of invocations side by side too', async () => {
    const gates = { a: Promise.withResolvers<void>(), b: Promise.withResolvers<void>() }
    const handler = middy<{ id: 'a' | 'b'; opens: 'a' | 'b' }>()
      .use(signedServices({ services: ['ai'] }))
      .handler(async ({ id, opens }, { services }) => {
        gates[opens].resolve()
        await gates[id].promise
        await services.ai.get(`jobs/${id}`)
      })
    const invoke = (id: 'a' | 'b', opens: 'a' | 'b') =>
      handler({ id, opens }, { xRayTraceId: `Root=1-${id}` } as unknown as ServicesContext<'ai'>)
    // The first waits for the second, which has its own trace by then.
    await Promise.all([invoke('a', 'b'), invoke('b', 'a')])
    expect(Object.fromEntries(gateway.requests.map((request) => [request.path, tracesOf(request)]))).toEqual({
      '/jobs/a': ['Root=1-a'],
      '/jobs/b': ['Root=1-b'],
    })
  })
})

function replaceFetch(): void {
  const original = fetch
  vi.stubGlobal('fetch', (...args: Parameters<typeof fetch>) => original(...args))
}

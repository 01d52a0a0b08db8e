import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createServices, createSignedFetch, type ServiceClient } from '../../src/index.ts'
import { invokeAiService } from '../../src/request-signer.ts'
import type { LocalGateway } from '../../src/testing/index.ts'
import { answer, setEnv, TRACE_ID, useGateway } from '../support/helpers.ts'
import { toSeenRequest } from './run-program.ts'

describe('a replaced global fetch', () => {
  let gateway: LocalGateway
  let ai: ServiceClient
  let signedFetch: typeof fetch
  beforeEach(async () => {
    gateway = await useGateway({ ai: { 'GET /jobs/:id': { from: 'gateway' }, 'POST /jobs': { from: 'gateway' } } })
    setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
    ai = createServices({ services: ['ai'], retry: { delay: () => 0 } }).ai
    signedFetch = createSignedFetch({ region: 'us-east-1', service: 'execute-api' })
  })
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })

  const sentBy = () => gateway.requests.map((request) => toSeenRequest(request).sentBy)

  it.each<[how: string, replace: (mock: typeof fetch) => void, restore: () => void]>([
    ['vi.stubGlobal', (mock) => vi.stubGlobal('fetch', mock), () => vi.unstubAllGlobals()],
    ['vi.spyOn', (mock) => vi.spyOn(globalThis, 'fetch').mockImplementation(mock), () => vi.restoreAllMocks()],
  ])('by %s answers all calls until it is restored', async (_, replace, restore) => {
    await ai.get('jobs/1')
    const mock = vi.fn<typeof fetch>(() => answer('{"from":"mock"}'))
    replace(mock)
    expect(await ai.get('jobs/1').json()).toEqual({ from: 'mock' })
    expect(await ai.post('jobs', { json: { topic: 'ü' } }).json()).toEqual({ from: 'mock' })
    expect(await (await ai.fetch('jobs/1')).json()).toEqual({ from: 'mock' })
    expect(await (await signedFetch(`${gateway.url}/ai/jobs/1`)).json()).toEqual({ from: 'mock' })
    expect(await invokeAiService('jobs/1')).toEqual({ from: 'mock' })
    expect(mock).toHaveBeenCalledTimes(5)
    expect(sentBy()).toEqual(['node'])
    restore()
    expect(await ai.get('jobs/1').json()).toEqual({ from: 'gateway' })
    expect(await invokeAiService('jobs/1')).toEqual({ from: 'gateway' })
    expect(sentBy()).toEqual(['node', 'node', 'node'])
  })

  it('is given the URL as text, and a signed and traced request', async () => {
    const mock = vi.fn<typeof fetch>(() => answer())
    vi.stubGlobal('fetch', mock)
    await ai.post('jobs', { json: { topic: 'ü' } })
    const [input, init] = mock.mock.calls[0] ?? []
    expect(input).toBe(`${gateway.url}/ai/jobs`)
    expect(init).toMatchObject({ method: 'POST', body: '{"topic":"ü"}', redirect: 'manual' })
    const headers = new Headers(init?.headers)
    expect(headers.get('authorization')).toMatch(/^AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE\//)
    expect(headers.get('x-amzn-trace-id')).toBe(TRACE_ID)
  })

  it('may pass calls on to the built-in one', async () => {
    const original = fetch
    vi.stubGlobal('fetch', (...args: Parameters<typeof fetch>) => original(...args))
    expect(await ai.post('jobs', { json: { topic: 'ü' } }).json()).toEqual({ from: 'gateway' })
    expect(gateway.requests.map(toSeenRequest)).toMatchObject([
      { verified: true, sentBy: 'fetch', traces: [TRACE_ID], json: { topic: 'ü' } },
    ])
  })

  it('is not asked where a `fetch` is an option', async () => {
    const mock = vi.fn<typeof fetch>()
    vi.stubGlobal('fetch', mock)
    const own = createServices({ services: ['ai'], fetch: () => answer('{"from":"option"}') }).ai
    expect(await own.get('jobs/1').json()).toEqual({ from: 'option' })
    expect(mock).not.toHaveBeenCalled()
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type AwsCredentialIdentity, type AwsCredentialProvider, createServices } from '../../../src/index.ts'
import { createProviderSource } from '../../../src/signing/credentials.ts'
import { answer, IDENTITY, rejection } from '../../support/helpers.ts'
import { startStopwatch } from '../../support/stopwatch.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

let respond: (key: string) => Promise<Response>
beforeEach(() => {
  respond = () => answer()
})
const fetch: typeof globalThis.fetch = async (_, init) =>
  respond(/Credential=(\w+)/.exec(new Headers(init?.headers).get('authorization') ?? '')?.[1] ?? '')

const createClient = (credentials: AwsCredentialProvider) =>
  createServices({ services: { ai: BASE }, credentials, fetch, retry: 0 }).ai

const make = (id: string, more: Partial<AwsCredentialIdentity> = {}): AwsCredentialIdentity => ({
  ...IDENTITY,
  accessKeyId: id,
  ...more,
})
const never = () => new Promise<never>(() => {})

describe('a provider that hung once', () => {
  it('is asked again by the next call, because all that waited have given up', async () => {
    const provider = vi.fn<AwsCredentialProvider>(never)
    const ai = createClient(provider)
    const ended = await Promise.all([1, 2, 3].map(() => rejection(ai.get('x', { totalTimeout: 30 }))))
    for (const error of ended) expect(error).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT', attempts: 0 })
    expect(provider).toHaveBeenCalledOnce()
    provider.mockImplementation(async () => IDENTITY)
    expect((await ai.get('x')).status).toBe(200)
    expect(provider).toHaveBeenCalledTimes(2)
  })

  it('is waited for as long as one call waits for it', async () => {
    let give: (identity: AwsCredentialIdentity) => void = () => {}
    const provider = vi.fn(
      () =>
        new Promise<AwsCredentialIdentity>((resolve) => {
          give = resolve
        }),
    )
    const ai = createClient(provider)
    const patient = ai.get('x')
    expect(await rejection(ai.get('x', { totalTimeout: 20 }))).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' })
    give(IDENTITY)
    expect((await patient).status).toBe(200)
    expect(provider).toHaveBeenCalledOnce()
  })

  it('is given up after 30 seconds, and asked again', async () => {
    vi.useFakeTimers()
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const provider = vi.fn<AwsCredentialProvider>(never)
    const source = createProviderSource(provider)
    const failed = rejection(source.get())
    await vi.advanceTimersByTimeAsync(29_999)
    expect(provider).toHaveBeenCalledOnce()
    await vi.advanceTimersByTimeAsync(1)
    expect(await failed).toMatchObject({ message: 'the provider returned no credentials within 30000 ms' })
    provider.mockImplementation(async () => IDENTITY)
    expect(await source.get()).toEqual(IDENTITY)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('in the background hides no credentials that are still valid', async () => {
    const provider = vi.fn<AwsCredentialProvider>(async () =>
      make('ASIAFIRST', { expiration: new Date(Date.now() + 60_000) }),
    )
    const ai = createClient(provider)
    await ai.get('x')
    provider.mockImplementation(never)
    for (let count = 0; count < 5; count += 1) expect((await ai.get('x')).status).toBe(200)
    expect(provider).toHaveBeenCalledTimes(2)
  })
})

describe('calls whose token is refused', () => {
  const refuse = (key: string) =>
    key.startsWith('ASIAOLD')
      ? answer('{"message":"The security token included in the request is expired"}', {
          status: 403,
          headers: { 'x-amzn-errortype': 'ExpiredTokenException' },
        })
      : answer()

  it.each([1, 50])('ask the provider once or twice, %d of them, and continue with its credentials', async (count) => {
    respond = async (key) => {
      await sleep(Math.random() * 30)
      return refuse(key)
    }
    const provider = vi.fn<AwsCredentialProvider>(async (options) => {
      await sleep(5)
      const expiration = new Date(Date.now() + 3_600_000)
      return make(options?.forceRefresh ? 'ASIANEW' : 'ASIAOLD', { expiration })
    })
    const ai = createClient(provider)
    await Promise.all(Array.from({ length: count }, async () => expect((await ai.get('x')).status).toBe(200)))
    expect(provider.mock.calls.length).toBeLessThanOrEqual(2)
  })

  it.each(['the same', 'none', 'an invalid identity'])('end as rejected if it gives %s', async (given) => {
    respond = refuse
    const provider = vi.fn<AwsCredentialProvider>(async (options) => {
      if (options?.forceRefresh && given === 'none') throw new Error('no')
      if (options?.forceRefresh && given === 'an invalid identity') return {} as never
      return make('ASIAOLD', { expiration: new Date(Date.now() + 3_600_000) })
    })
    const ai = createClient(provider)
    const ended = await Promise.all(Array.from({ length: 50 }, () => rejection(ai.get('x'))))
    for (const error of ended) expect(error).toMatchObject({ reason: 'expired-token' })
    expect(provider.mock.calls.length).toBeLessThanOrEqual(given === 'the same' ? 2 : 51)
  })

  it('do not wait for a provider beyond their own bound', async () => {
    respond = refuse
    const ai = createClient((options) => (options?.forceRefresh ? never() : make('ASIAOLD')))
    const took = startStopwatch()
    await Promise.all(
      Array.from({ length: 10 }, async () =>
        expect(await rejection(ai.get('x', { totalTimeout: 50 }))).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT' }),
      ),
    )
    expect(took()).toBeLessThan(1000)
  })
})

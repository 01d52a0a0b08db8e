import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { ServiceRequestError } from '../../../src/errors/index.ts'
import { type ClockSkew, createClockSkew } from '../../../src/signing/clock-skew.ts'
import {
  type AwsCredentialIdentity,
  type AwsCredentialProvider,
  type CredentialSource,
  createCredentialSource,
} from '../../../src/signing/credentials.ts'
import { readRequest } from '../../../src/signing/request-body.ts'
import { createSendSigned, type SignedCall, type SigningOptions } from '../../../src/signing/send-signed.ts'
import { ReceivedResponse, ready, send } from '../../../src/transport/index.ts'
import { IDENTITY, rejection } from '../../support/helpers.ts'

vi.mock(import('../../../src/transport/index.ts'), async (importOriginal) => ({
  ...(await importOriginal()),
  ready: vi.fn(),
  send: vi.fn(),
}))

const URL_ = new URL('https://id.execute-api.eu-central-1.amazonaws.com/prod/jobs')
const toError = (error: unknown) => error
const respond = async (status = 200, given: Record<string, string> = {}, message?: string) => {
  const headers = new Headers({ 'content-type': 'application/json', ...given })
  const body = message === undefined ? null : Readable.from([Buffer.from(JSON.stringify({ message }))])
  return new ReceivedResponse({ status, statusText: '', headers, url: URL_.href }, body, { toError })
}

const EXPIRED_TOKEN = { 'x-amzn-errortype': 'ExpiredTokenException' }
const NEW: AwsCredentialIdentity = { accessKeyId: 'AKIDNEW', secretAccessKey: 'new-secret' }
const fresh = (): CredentialSource => ({ get: () => IDENTITY, renew: async () => NEW })

function create(signing: Partial<SigningOptions> = {}) {
  const sendSigned = createSendSigned({
    credentials: createCredentialSource(IDENTITY),
    region: 'eu-central-1',
    signingName: 'execute-api',
    fetch: undefined,
    clock: createClockSkew(),
    ...signing,
  })
  const call: SignedCall = {
    service: 'ai',
    method: 'GET',
    path: '/jobs',
    attempts: 0,
    secrets: new Set(),
    tried: new Set(),
  }
  const controller = new AbortController()
  const { signal } = controller
  return { call, controller, send: (init = {}) => sendSigned(readRequest(URL_, init), call, { signal, toError }) }
}

beforeEach(() => {
  vi.mocked(ready).mockReset()
  vi.mocked(send)
    .mockReset()
    .mockImplementation(() => respond())
})

describe('createSendSigned', () => {
  it('waits until the transport is ready once a call, before anything is sent', async () => {
    const order: string[] = []
    vi.mocked(ready).mockImplementation(async () => void order.push('ready'))
    vi.mocked(send).mockImplementation(() => {
      order.push('send')
      return respond()
    })
    const { call, send: sendOnce } = create()
    await sendOnce()
    await sendOnce()
    expect(order).toEqual(['ready', 'send', 'send'])
    expect(call.attempts).toBe(2)
  })

  it('sends nothing where the call was aborted while it waited', async () => {
    const { call, controller, send: sendOnce } = create()
    vi.mocked(ready).mockImplementation(async () => controller.abort('enough'))
    expect(await rejection(sendOnce())).toBe('enough')
    expect(send).not.toHaveBeenCalled()
    expect(call.attempts).toBe(0)
  })

  it("gives the transport the call's signal and errors", async () => {
    const { controller, send: sendOnce } = create()
    await sendOnce({ keepalive: true })
    expect(vi.mocked(send).mock.calls[0]?.[1]).toMatchObject({
      signal: controller.signal,
      toError,
      init: { keepalive: true },
    })
  })

  it('records the signed request, and every secret that errors must not show', async () => {
    const { call, send: sendOnce } = create()
    await sendOnce()
    expect(call.canonicalRequest).toMatch(/^GET\n\/prod\/jobs\n/)
    expect([...call.secrets]).toEqual([expect.stringMatching(/^[\da-f]{64}$/), ...Object.values(IDENTITY)])
  })

  it('records no token where there is none', async () => {
    const { call, send: sendOnce } = create({ credentials: createCredentialSource(NEW) })
    await sendOnce()
    expect([...call.secrets]).toEqual([expect.stringMatching(/^[\da-f]{64}$/), ...Object.values(NEW)])
  })

  it.each([
    ['does not count a request that Node.js refused to send', 'ERR_INVALID_CHAR', 0],
    ['counts a request whose connection failed', 'ECONNRESET', 1],
  ])('%s: %s', async (_, code, attempts) => {
    const error = Object.assign(new Error('failed'), { code })
    vi.mocked(send).mockRejectedValue(error)
    const { call, send: sendOnce } = create()
    expect(await rejection(sendOnce())).toBe(error)
    expect(call.attempts).toBe(attempts)
  })

  it.each([Number.NaN, Date.UTC(10_000, 0), Date.UTC(-1, 0)])('refuses to sign for the time %d', async (time) => {
    const { call, send: sendOnce } = create({ clock: createClockSkew(() => time) })
    const error = await rejection(sendOnce())
    expect(error).toBeInstanceOf(ServiceRequestError)
    expect(error).toMatchObject({
      message: 'ai: GET /jobs: the clock returned a time that a signature cannot contain',
      cause: { name: 'RangeError' },
    })
    expect(call.attempts).toBe(0)
  })
})

it.each<[string, AwsCredentialProvider, number]>([
  ['gives credentials', async () => IDENTITY, 1],
  ['fails', () => Promise.reject(new Error('no role')), 0],
])('leaves no listener on the signal, whether the provider %s', async (_, provider, attempts) => {
  const { call, controller, send: sendOnce } = create({ credentials: createCredentialSource(provider) })
  await sendOnce({ method: 'POST', body: new Blob(['a']).stream(), duplex: 'half' }).catch(() => {})
  expect(call.attempts).toBe(attempts)
  expect(getEventListeners(controller.signal, 'abort')).toEqual([])
})

/** The rejection of a gateway that considers the signature too old. */
const expiredAt = (time: number) => {
  const headers = { date: new Date(time).toUTCString(), 'x-amzn-errortype': 'InvalidSignatureException' }
  return respond(403, headers, 'Signature expired: 1 is now earlier than 2')
}

describe('a corrected clock', () => {
  const HOUR = 3_600_000
  const expired = () => expiredAt(Date.now() + HOUR)

  it.each([
    ['is kept if the second response is a success', () => respond(200), true],
    ['is kept if the second response fails for another reason', () => respond(500), true],
    ['is forgotten if the second signature is rejected for its time, too', expired, false],
  ])('%s', async (_, respondAgain, isKept) => {
    const clock = createClockSkew()
    vi.mocked(send).mockImplementationOnce(expired).mockImplementationOnce(respondAgain)
    const { call, send: sendOnce } = create({ clock })
    await sendOnce()
    expect(call).toMatchObject({ attempts: 2, tried: new Set(['corrected clock']) })
    expect(clock.forget(URL_.origin)).toBe(isKept)
  })
})

describe('the option host', () => {
  const REFUSED =
    'ai: GET /jobs: the option host requires the HTTP client of Node.js, but this request would be sent by a fetch'

  it("is signed and sent in place of the URL's host, to the URL's address", async () => {
    const { call, send: sendOnce } = create({ host: 'jobs.example.com' })
    await sendOnce()
    const { url } = vi.mocked(send).mock.calls[0]?.[0] ?? {}
    expect(url).toMatchObject({ host: 'jobs.example.com', hostname: URL_.hostname, href: URL_.href })
    expect(call.canonicalRequest).toContain('\nhost:jobs.example.com\n')
  })

  it("is the URL's own by default", async () => {
    const { call, send: sendOnce } = create()
    await sendOnce()
    expect(vi.mocked(send).mock.calls[0]?.[0].url.host).toBe(URL_.host)
    expect(call.canonicalRequest).toContain(`\nhost:${URL_.host}\n`)
  })

  it.each<[string, Partial<SigningOptions>, object]>([
    ['the option fetch', { fetch: globalThis.fetch }, {}],
    ['a dispatcher, which only a fetch supports', {}, { dispatcher: {} }],
  ])('is refused with %s', async (_, signing, init) => {
    const { call, send: sendOnce } = create({ host: 'jobs.example.com', ...signing })
    const error = await rejection(sendOnce(init))
    expect(error).toBeInstanceOf(ServiceRequestError)
    expect(error).toMatchObject({ message: REFUSED, attempts: 0 })
    expect(send).not.toHaveBeenCalled()
    expect(call.secrets.size).toBe(0)
  })
})

it('the fetch of the options and of the call decide how the transport becomes ready', async () => {
  const { fetch } = globalThis
  await create({ fetch }).send({ keepalive: true })
  const sender = { fetch, init: { keepalive: true } }
  expect(ready).toHaveBeenCalledExactlyOnceWith(sender)
  expect(vi.mocked(send).mock.calls[0]?.[1]).toMatchObject(sender)
})

describe('a rejected token', () => {
  it.each([403, 400])('is replaced once, and the request sent again, after a %i', async (status) => {
    vi.mocked(send).mockImplementationOnce(() => respond(status, EXPIRED_TOKEN))
    const { call, send: sendOnce } = create({ credentials: fresh() })
    expect((await sendOnce()).status).toBe(200)
    expect(call).toMatchObject({ attempts: 2, tried: new Set(['other credentials']) })
    const [first, second] = vi.mocked(send).mock.calls.map(([{ headers }]) => headers.authorization)
    expect(first).toContain(`Credential=${IDENTITY.accessKeyId}/`)
    expect(second).toContain(`Credential=${NEW.accessKeyId}/`)
  })

  it('is the end of the call if the new one is rejected, too', async () => {
    vi.mocked(send).mockImplementation(() => respond(403, EXPIRED_TOKEN))
    const { call, send: sendOnce } = create({ credentials: fresh() })
    expect((await sendOnce()).status).toBe(403)
    expect(call.attempts).toBe(2)
  })

  it.each<[string, CredentialSource, number, Record<string, string>]>([
    ['the response is a success', fresh(), 200, EXPIRED_TOKEN],
    ['the response is a redirect', fresh(), 302, EXPIRED_TOKEN],
    ['the response has no error type', fresh(), 403, {}],
    ['there are no other credentials', createCredentialSource(IDENTITY), 403, EXPIRED_TOKEN],
    [
      'the credentials cannot be renewed',
      { get: () => IDENTITY, renew: () => Promise.reject(new Error('x')) },
      403,
      EXPIRED_TOKEN,
    ],
  ])('is not the reason to send a request again if %s', async (_, credentials, status, headers) => {
    vi.mocked(send).mockImplementation(() => respond(status, headers))
    const { call, send: sendOnce } = create({ credentials })
    expect((await sendOnce()).status).toBe(status)
    expect(call).toMatchObject({ attempts: 1, tried: new Set() })
  })

  it('has no effect on a corrected clock, even if the second signature is rejected for its time', async () => {
    const clock = createClockSkew()
    clock.learn(URL_.origin, new Headers({ date: new Date(Date.now() + 3_600_000).toUTCString() }))
    vi.mocked(send)
      .mockImplementationOnce(() => respond(403, EXPIRED_TOKEN))
      .mockImplementationOnce(() => expiredAt(Date.now()))
    await create({ credentials: fresh(), clock }).send()
    expect(send).toHaveBeenCalledTimes(2)
    expect(clock.forget(URL_.origin)).toBe(true)
  })
})

describe('a rejected time', () => {
  const START = Date.UTC(2026, 10, 22)

  /** A clock that `ms` milliseconds pass on after the first signature. */
  const passing = (ms: number, given: Partial<ClockSkew> = {}): ClockSkew => ({
    now: vi
      .fn<ClockSkew['now']>()
      .mockReturnValueOnce(START)
      .mockReturnValue(START + ms),
    learn: () => false,
    forget: () => false,
    ...given,
  })

  it.each<[string, ClockSkew, string[]]>([
    ['the clock was wrong', passing(600_000, { learn: () => true }), ['corrected clock']],
    ['four minutes have passed since the signature', passing(240_000), ['fresh signature']],
    ['four minutes were taken back since the signature', passing(-240_000), ['fresh signature']],
    ['the earlier correction of the clock was wrong', passing(239_999, { forget: () => true }), ['corrected clock']],
  ])('is the reason to send a request again if %s', async (_, clock, tried) => {
    vi.mocked(send).mockImplementationOnce(() => expiredAt(START))
    const { call, send: sendOnce } = create({ clock })
    expect((await sendOnce()).status).toBe(200)
    expect([...call.tried]).toEqual(tried)
    expect(call.attempts).toBe(2)
    const dates = vi.mocked(send).mock.calls.map(([{ headers }]) => headers['x-amz-date'])
    expect(dates[0]).toBe('20261122T000000Z')
    expect(dates[1]).not.toBe(dates[0])
  })

  it('is none if the clocks agree and no time has passed', async () => {
    vi.mocked(send).mockImplementation(() => expiredAt(START))
    const { call, send: sendOnce } = create({ clock: passing(239_999) })
    expect((await sendOnce()).status).toBe(403)
    expect(call).toMatchObject({ attempts: 1, tried: new Set() })
  })
})

describe('a call that is aborted', () => {
  const never = () => new Promise<never>(() => {})

  it('while its body is read, ends with the reason', async () => {
    const { controller, send: sendOnce } = create()
    const ended = rejection(sendOnce({ method: 'POST', body: new ReadableStream(), duplex: 'half' }))
    controller.abort('enough')
    expect(await ended).toBe('enough')
    expect(send).not.toHaveBeenCalled()
  })

  it('while it waits for credentials, ends with the reason', async () => {
    const { controller, send: sendOnce } = create({ credentials: createCredentialSource(never) })
    const ended = rejection(sendOnce())
    controller.abort('enough')
    expect(await ended).toBe('enough')
    expect(send).not.toHaveBeenCalled()
  })

  it('while its credentials are renewed, sends no second request', async () => {
    vi.mocked(send).mockImplementation(() => respond(403, EXPIRED_TOKEN))
    const renew = async () => {
      controller.abort('enough')
      return NEW
    }
    const { call, controller, send: sendOnce } = create({ credentials: { get: () => IDENTITY, renew } })
    expect(await rejection(sendOnce())).toBe('enough')
    expect(call.attempts).toBe(1)
  })
})

import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createClockSkew } from '../../../src/signing/clock-skew.ts'
import { type AwsCredentialProvider, createCredentialSource } from '../../../src/signing/credentials.ts'
import { readRequest } from '../../../src/signing/request-body.ts'
import { createSendSigned, type SignedCall } from '../../../src/signing/send-signed.ts'
import { ReceivedResponse, ready, send } from '../../../src/transport/index.ts'
import { IDENTITY, rejection } from '../../support/helpers.ts'

vi.mock(import('../../../src/transport/index.ts'), async (importOriginal) => ({
  ...(await importOriginal()),
  ready: vi.fn(),
  send: vi.fn(),
}))

const URL_ = new URL('https://id.execute-api.eu-central-1.amazonaws.com/prod/jobs')
const toError = (error: unknown) => error
const respond = async (status = 200) =>
  new ReceivedResponse({ status, statusText: '', headers: new Headers(), url: URL_.href }, null, { toError })

function create(credentials?: AwsCredentialProvider, clock = createClockSkew()) {
  const sendSigned = createSendSigned({
    credentials: createCredentialSource(credentials ?? IDENTITY),
    region: 'eu-central-1',
    signingName: 'execute-api',
    fetch: undefined,
    clock,
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
})

it.each<[string, AwsCredentialProvider, number]>([
  ['gives credentials', async () => IDENTITY, 1],
  ['fails', () => Promise.reject(new Error('no role')), 0],
])('leaves no listener on the signal, whether the provider %s', async (_, provider, attempts) => {
  const { call, controller, send: sendOnce } = create(provider)
  await sendOnce({ method: 'POST', body: new Blob(['a']).stream(), duplex: 'half' }).catch(() => {})
  expect(call.attempts).toBe(attempts)
  expect(getEventListeners(controller.signal, 'abort')).toEqual([])
})

describe('a corrected clock', () => {
  const HOUR = 3_600_000
  const expired = async () => {
    const headers = new Headers({
      date: new Date(Date.now() + HOUR).toUTCString(),
      'x-amzn-errortype': 'InvalidSignatureException',
      'content-type': 'application/json',
    })
    const body = Readable.from([Buffer.from('{"message":"Signature expired: 1 is now earlier than 2"}')])
    return new ReceivedResponse({ status: 403, statusText: '', headers, url: URL_.href }, body, { toError })
  }

  it.each([
    ['is kept if the second response is a success', () => respond(200), true],
    ['is kept if the second response fails for another reason', () => respond(500), true],
    ['is forgotten if the second signature is rejected for its time, too', expired, false],
  ])('%s', async (_, respondAgain, isKept) => {
    const clock = createClockSkew()
    vi.mocked(send).mockImplementationOnce(expired).mockImplementationOnce(respondAgain)
    const { call, send: sendOnce } = create(undefined, clock)
    await sendOnce()
    expect(call).toMatchObject({ attempts: 2, tried: new Set(['corrected clock']) })
    expect(clock.forget(URL_.origin)).toBe(isKept)
  })
})

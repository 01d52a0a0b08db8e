import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type AwsCredentialIdentity,
  createServices,
  createSignedFetch,
  type ServiceAuthError,
  type ServiceClient,
} from '../../src/index.ts'
import { startLocalGateway } from '../../src/testing/index.ts'
import { answer, IDENTITY, rejection, setEnv, useFolder } from '../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const OLD: AwsCredentialIdentity = { accessKeyId: 'AKIDOLD', secretAccessKey: 'old-secret', sessionToken: 'old-token' }
const NEW: AwsCredentialIdentity = { accessKeyId: 'AKIDNEW', secretAccessKey: 'new-secret', sessionToken: 'new-token' }

interface Sent {
  readonly method: string
  readonly headers: Headers
  readonly body: string
}
let sent: Sent[]
let respond: (count: number) => Promise<Response>
beforeEach(() => {
  sent = []
})
const fetch: typeof globalThis.fetch = async (_, { method = '', headers, body } = {}) => {
  sent.push({ method, headers: new Headers(headers), body: Buffer.from((body ?? '') as Uint8Array).toString() })
  return respond(sent.length)
}
const createClient = (options: object): ServiceClient =>
  createServices({ services: { ai: BASE }, fetch, ...options }).ai
const refusal = (type: string, message: string, headers: Record<string, string> = {}) =>
  answer(JSON.stringify({ message }), {
    status: 403,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': type, ...headers },
  })

/** A provider with a new identity once a refresh is forced. */
const rotating = (next: AwsCredentialIdentity = NEW) => {
  let current = OLD
  return async (options?: { forceRefresh?: boolean }) => {
    if (options?.forceRefresh) current = next
    return current
  }
}

const EXPIRED = 'The security token included in the request is expired'
const INVALID = 'The security token included in the request is invalid.'

describe('a token that the gateway refuses', () => {
  it.each([
    ['ExpiredTokenException', EXPIRED, 'POST'],
    ['ExpiredTokenException:http://internal.amazon.com/', EXPIRED, 'PATCH'],
    ['UnrecognizedClientException', INVALID, 'GET'],
    ['AccessDeniedException', INVALID, 'PUT'],
    ['AccessDeniedException', EXPIRED, 'DELETE'],
  ])('as %s: %s is renewed and the %s sent again, once', async (type, message, method) => {
    respond = (count) => (count === 1 ? refusal(type, message) : answer('{"ok":true}'))
    const body = ['GET'].includes(method) ? {} : { body: 'the very bytes' }
    const response = await createClient({ credentials: rotating() })('x', { method, ...body })
    expect(await response.json()).toEqual({ ok: true })
    expect(
      sent.map(({ headers }) => [
        /Credential=(\w+)/.exec(headers.get('authorization') ?? '')?.[1],
        headers.get('x-amz-security-token'),
      ]),
    ).toEqual([
      ['AKIDOLD', 'old-token'],
      ['AKIDNEW', 'new-token'],
    ])
    expect(new Set(sent.map((one) => one.body)).size).toBe(1)
  })

  it('is renewed for a response without a body as well', async () => {
    const headers = { 'x-amzn-errortype': 'ExpiredTokenException' }
    respond = (count) => answer(count === 1 ? null : '{}', count === 1 ? { status: 403, headers } : {})
    expect(await createClient({ credentials: rotating() }).post('x').json()).toEqual({})
    expect(sent).toHaveLength(2)
  })

  it('is an error with both attempts where the renewed one is refused too', async () => {
    respond = () => refusal('ExpiredTokenException', EXPIRED)
    const error = await rejection(createClient({ credentials: rotating() }).post('x', { body: 'b' }))
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_AUTH',
      reason: 'expired-token',
      status: 403,
      attempts: 2,
      data: { message: EXPIRED },
    })
    expect(inspect(error, { depth: 9 })).not.toMatch(/old-token|new-token|old-secret|new-secret/)
  })

  it.each([
    ['the identity stays the same', rotating(OLD)],
    ['it is fixed', OLD],
    [
      'the provider fails',
      async (options?: { forceRefresh?: boolean }) => (options?.forceRefresh ? Promise.reject(new Error('no')) : OLD),
    ],
  ])('is an error at once where %s', async (_, credentials) => {
    respond = () => refusal('ExpiredTokenException', EXPIRED)
    expect(await rejection(createClient({ credentials }).post('x'))).toMatchObject({
      status: 403,
      attempts: 1,
      data: { message: EXPIRED },
    })
  })

  it.each([
    ['an integration that writes the same words', () => answer(JSON.stringify({ message: EXPIRED }), { status: 403 })],
    ['a lack of permission', () => refusal('AccessDeniedException', 'User: x is not authorized')],
    [
      'a wrong signature',
      () => refusal('InvalidSignatureException', `The request signature we calculated ... ${EXPIRED}`),
    ],
    [
      'an answer that is not JSON',
      () => answer('<html>', { status: 403, headers: { 'x-amzn-errortype': 'AccessDeniedException' } }),
    ],
    ['another error', () => refusal('ForbiddenException', 'Forbidden')],
  ])('is not seen in %s', async (_, answers) => {
    respond = answers
    expect(await rejection(createClient({ credentials: rotating() }).post('x'))).toMatchObject({
      status: 403,
      attempts: 1,
    })
  })

  it('is renewed from the environment, and for .fetch and createSignedFetch as well', async () => {
    const use = ({ accessKeyId, secretAccessKey, sessionToken }: AwsCredentialIdentity) =>
      setEnv({
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_SESSION_TOKEN: sessionToken,
      })
    respond = (count) => {
      if (count % 2 === 0) return answer('{}')
      use(NEW)
      return refusal('ExpiredTokenException', EXPIRED)
    }
    use(OLD)
    expect((await createClient({}).fetch('x', { method: 'POST', body: 'b' })).status).toBe(200)
    use(OLD)
    expect(
      (await createSignedFetch({ region: 'eu-central-1', service: 'execute-api', fetch })(`${BASE}/x`)).status,
    ).toBe(200)
    expect(sent.map(({ headers }) => headers.get('x-amz-security-token'))).toEqual([
      'old-token',
      'new-token',
      'old-token',
      'new-token',
    ])
  })

  it('is renewed once for all calls that it was refused to', async () => {
    let forced = 0
    const provide = rotating()
    const credentials = (options?: { forceRefresh?: boolean }) => {
      if (options?.forceRefresh) forced += 1
      return provide(options)
    }
    const gate = Promise.withResolvers<void>()
    respond = async (count) => {
      if (count > 10) return answer('{}')
      if (count === 10) gate.resolve()
      await gate.promise
      return refusal('ExpiredTokenException', EXPIRED)
    }
    const ai = createClient({ credentials })
    await Promise.all(Array.from({ length: 10 }, () => ai.post('x', { body: 'b' })))
    expect(forced).toBe(1)
    expect(sent).toHaveLength(20)
  })
})

describe('credentials that change under the calls', () => {
  const identities = [
    OLD,
    NEW,
    { ...OLD, secretAccessKey: 'other-secret', sessionToken: 'other-token' },
    { accessKeyId: 'AKIDBARE', secretAccessKey: 'bare' },
  ]
  const pick = () => identities[Math.floor(Math.random() * identities.length)] as AwsCredentialIdentity

  it.each([
    ['a provider', () => ({ credentials: async () => pick() })],
    [
      'a provider whose identities expire',
      () => ({ credentials: async () => ({ ...pick(), expiration: new Date(Date.now() + 2) }) }),
    ],
    [
      'one identity object, changed in place',
      () => {
        const shared = { ...OLD }
        const rotate = setInterval(() => Object.assign(shared, { sessionToken: undefined }, pick()), 1)
        onTestFinished(() => clearInterval(rotate))
        return { credentials: async () => shared }
      },
    ],
    [
      'the provider chain',
      () => {
        const folder = useFolder()
        const answers = identities.map(({ accessKeyId, secretAccessKey, sessionToken }, index) => {
          const Expiration = new Date(Date.now() + 60_000)
          const answer = {
            Version: 1,
            AccessKeyId: accessKeyId,
            SecretAccessKey: secretAccessKey,
            SessionToken: sessionToken,
            Expiration,
          }
          writeFileSync(join(folder, String(index)), JSON.stringify(answer))
          return index
        })
        writeFileSync(
          join(folder, 'provide.sh'),
          `echo >> ${folder}/runs; cat ${folder}/$(( $(wc -l < ${folder}/runs) % ${answers.length} ))`,
        )
        writeFileSync(join(folder, 'config'), `[default]\ncredential_process = sh ${folder}/provide.sh\n`)
        const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_SESSION_TOKEN: undefined }
        const noFile = '/nonexistent'
        setEnv({
          ...none,
          AWS_CONFIG_FILE: join(folder, 'config'),
          AWS_SHARED_CREDENTIALS_FILE: noFile,
          AWS_PROFILE: undefined,
        })
        return {}
      },
    ],
    [
      'the environment',
      () => {
        const write = () => {
          const { accessKeyId, secretAccessKey, sessionToken = '' } = pick()
          Object.assign(process.env, {
            AWS_ACCESS_KEY_ID: accessKeyId,
            AWS_SECRET_ACCESS_KEY: secretAccessKey,
            AWS_SESSION_TOKEN: sessionToken,
          })
        }
        setEnv({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_SESSION_TOKEN: undefined })
        write()
        const rotate = setInterval(write, 1)
        onTestFinished(() => clearInterval(rotate))
        return {}
      },
    ],
  ])('in %s never mix: each request verifies with the identity of its own token', async (_, configure) => {
    const { verifySignature } = await import('../../src/testing/index.ts')
    const seen = new Set<string>()
    const verify: typeof globalThis.fetch = async (input, init) => {
      const { host, pathname } = new URL(String(input))
      const headers = new Headers(init?.headers)
      const request = {
        method: init?.method ?? '',
        target: pathname,
        rawHeaders: [['host', host], ...headers].flat(),
        body: (init?.body ?? new Uint8Array()) as Uint8Array,
      }
      const token = headers.get('x-amz-security-token') ?? undefined
      const credentials = identities.filter((identity) => identity.sessionToken === token)
      expect(verifySignature(request, { credentials, region: 'eu-central-1' })).toMatchObject({ verified: true })
      seen.add(String(token))
      return answer()
    }
    const { ai } = createServices({ services: { ai: BASE }, fetch: verify, ...configure() })
    // On a busy machine, the credentials change later.
    for (let round = 0; round < 40 || (seen.size < identities.length && round < 4_000); round += 1) {
      await Promise.all(Array.from({ length: 5 }, () => ai.put('x', { body: 'b' })))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    expect(seen.size).toBe(identities.length)
  })

  it('belong to each service, region and account, in one handler', async () => {
    respond = () => answer()
    const services = createServices({
      services: {
        ai: { url: 'https://ai.example.com', region: 'us-east-1', credentials: OLD },
        admin: { url: 'https://admin.example.com', region: 'eu-west-1', credentials: async () => NEW },
        other: 'https://other.example.com',
      },
      region: 'ap-south-1',
      credentials: IDENTITY,
      fetch,
    })
    await Promise.all([services.ai.get('x'), services.admin.get('x'), services.other.get('x')])
    expect(
      sent
        .map(({ headers }) => /Credential=(\w+)\/\d+\/([\w-]+)/.exec(headers.get('authorization') ?? '')?.slice(1))
        .toSorted(),
    ).toEqual([
      ['AKIDNEW', 'eu-west-1'],
      ['AKIDOLD', 'us-east-1'],
      [IDENTITY.accessKeyId, 'ap-south-1'],
    ])
  })
})

describe('a clock that is wrong', () => {
  const start = async (offset: number) => {
    const gateway = await startLocalGateway({
      services: { ai: { 'POST /x': { ok: true } }, admin: { 'GET /x': { ok: true } } },
      credentials: IDENTITY,
      now: () => Date.now() + offset,
    })
    onTestFinished(gateway.close)
    setEnv(gateway.env)
    return gateway
  }

  it.each([
    ['behind', 3_600_000, /^Signature expired/],
    ['ahead', -3_600_000, /^Signature not yet current/],
  ])(
    '%s is corrected with the first refusal, for any method and for all services of that gateway',
    async (_, offset, message) => {
      const gateway = await start(offset)
      const { ai, admin } = createServices({ services: ['ai', 'admin'] })
      expect(await ai.post('x', { json: {} }).json()).toEqual({ ok: true })
      expect(await admin.get('x').json()).toEqual({ ok: true })
      expect(await ai.post('x', { json: {} }).json()).toEqual({ ok: true })
      expect(gateway.requests.map(({ status }) => status)).toEqual([403, 200, 200, 200])
      expect(gateway.requests[0]?.signature).toMatchObject({ message: expect.stringMatching(message) })
    },
  )

  const late = { date: new Date(Date.now() + 3_600_000).toUTCString() }
  it.each([
    [
      'the answer comes from a cache',
      () => refusal('InvalidSignatureException', 'Signature expired: ...', { ...late, age: '3' }),
    ],
    [
      'the difference is small',
      () => refusal('InvalidSignatureException', 'Signature expired: ...', { date: new Date().toUTCString() }),
    ],
    ['there is no date', () => refusal('InvalidSignatureException', 'Signature expired: ...')],
    [
      'the signature itself is wrong',
      () => refusal('InvalidSignatureException', 'The request signature we calculated', late),
    ],
  ])('is an error where %s', async (_, answers) => {
    respond = answers
    expect(await rejection(createClient({ credentials: IDENTITY }).get('x'))).toMatchObject({
      status: 403,
      attempts: 1,
    })
  })

  it('is an error after one more attempt where that is refused too', async () => {
    respond = () => refusal('InvalidSignatureException', 'Signature expired: ...', late)
    expect(await rejection(createClient({ credentials: IDENTITY }).get('x'))).toMatchObject({
      status: 403,
      attempts: 2,
    })
  })
})

describe('a signature that is too old when it arrives', () => {
  const NOW = Date.parse('2026-11-26T12:00:00Z')
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW })
    return () => vi.useRealTimers()
  })

  /** A gateway with the right time, behind a way on which the first `count` requests are frozen for ten minutes. */
  const startFrozen = async (count: number) => {
    const gateway = await startLocalGateway({ services: { ai: { 'POST /x': { ok: true } } }, credentials: IDENTITY })
    onTestFinished(gateway.close)
    setEnv(gateway.env)
    let sendings = 0
    const fetch: typeof globalThis.fetch = (input, init) => {
      sendings += 1
      if (sendings <= count) vi.setSystemTime(Date.now() + 600_000)
      return globalThis.fetch(input, init)
    }
    return { gateway, ai: createServices({ services: ['ai'], fetch }).ai }
  }
  const dates = ({ requests }: Awaited<ReturnType<typeof startLocalGateway>>) =>
    requests.map(({ status, headers }) => [status, headers['x-amz-date']])

  it('is signed once more after a freeze, although the clocks agree', async () => {
    const { gateway, ai } = await startFrozen(1)
    expect(await ai.post('x', { json: {} }).json()).toEqual({ ok: true })
    expect(dates(gateway)).toEqual([
      [403, '20261126T120000Z'],
      [200, '20261126T121000Z'],
    ])
    // And no clock has been corrected.
    expect(await ai.post('x', { json: {} }).json()).toEqual({ ok: true })
    expect(gateway.requests).toHaveLength(3)
  })

  it('is an error that blames no clock where a fresh one is late as well', async () => {
    const { gateway, ai } = await startFrozen(2)
    const error = (await rejection(ai.post('x', { json: {} }))) as ServiceAuthError
    expect(error).toMatchObject({ reason: 'signature-expired', attempts: 2 })
    expect(error.hint).toBe(
      'The signature was more than five minutes old when it arrived, and so was a second one. Look for a proxy or a queue that delays requests.',
    )
    expect(gateway.requests).toHaveLength(2)
  })

  it('is signed once more where the response has no date', async () => {
    respond = async (count) => {
      if (count > 1) return answer('{"ok":true}')
      vi.setSystemTime(Date.now() + 600_000)
      return refusal('InvalidSignatureException', 'Signature expired: ...')
    }
    expect(await createClient({ credentials: IDENTITY }).post('x').json()).toEqual({ ok: true })
    expect(sent).toHaveLength(2)
  })

  it('is signed once more where another call has corrected the clock meanwhile', async () => {
    const date = new Date(NOW + 600_000).toUTCString()
    const gate = Promise.withResolvers<void>()
    respond = async (count) => {
      if (count > 2) return answer('{"ok":true}')
      if (count === 2) gate.resolve()
      await gate.promise
      return refusal('InvalidSignatureException', 'Signature expired: ...', { date })
    }
    const ai = createClient({ credentials: IDENTITY })
    const calls = [ai.post('x').json(), ai.post('x').json()]
    expect(await Promise.all(calls)).toEqual([{ ok: true }, { ok: true }])
    expect(sent.map(({ headers }) => headers.get('x-amz-date'))).toEqual([
      '20261126T120000Z',
      '20261126T120000Z',
      '20261126T121000Z',
      '20261126T121000Z',
    ])
  })
})

describe('the hint of a refusal', () => {
  const late = { date: new Date(Date.now() + 3_600_000).toUTCString() }
  const expired = (headers?: Record<string, string>) => () =>
    refusal('InvalidSignatureException', 'Signature expired: ...', headers)

  it.each<[string, () => Promise<Response>, object, RegExp]>([
    ['a clock that was corrected', expired(late), {}, /even after one correction/],
    ['a clock that the response says nothing of', expired(), {}, /the response's Date header does not show this/],
    [
      'a token that was renewed',
      () => refusal('ExpiredTokenException', EXPIRED),
      { credentials: rotating() },
      /the gateway also rejected the renewed credentials/,
    ],
    [
      'a token that could not be renewed',
      () => refusal('ExpiredTokenException', EXPIRED),
      { credentials: OLD },
      /the credential source returned no new credentials/,
    ],
  ])('claims no more than was tried: %s', async (_, answers, options, words) => {
    respond = answers
    const error = (await rejection(createClient({ credentials: IDENTITY, ...options }).get('x'))) as ServiceAuthError
    expect(error.hint).toMatch(words)
    expect(error.message).toContain(error.hint)
  })
})

import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices, createSignedFetch, ServiceRequestError, type SignedFetchOptions } from '../../../src/index.ts'
import { sha256Hex } from '../../../src/signing/sha256.ts'
import { createSign } from '../../../src/signing/signer.ts'
import { toWireUrl } from '../../../src/signing/wire-url.ts'
import { answer, IDENTITY, rejection, setEnv, useGateway } from '../../support/helpers.ts'

const URL_ = 'https://id.execute-api.eu-central-1.amazonaws.com/prod/jobs'
const OPTIONS = { credentials: IDENTITY, region: 'eu-central-1', service: 'execute-api' }

function record(options: Partial<SignedFetchOptions> = {}) {
  const sent: { url: string; headers: Headers; body: Uint8Array | null; init: RequestInit }[] = []
  const transport = async (input: unknown, init: RequestInit = {}) => {
    sent.push({ url: String(input), headers: init.headers as Headers, body: init.body as Uint8Array | null, init })
    return answer()
  }
  return { sent, fetch: createSignedFetch({ ...OPTIONS, fetch: transport, ...options }) }
}

describe('credentials of the environment', () => {
  it('that no header can hold are refused before anything is sent', async () => {
    setEnv({ AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'hunter2\n', AWS_SESSION_TOKEN: undefined })
    const send = vi.fn<typeof fetch>()
    const signed = createSignedFetch({ region: 'us-east-1', service: 'execute-api', fetch: send })
    const error = (await rejection(signed('https://h.example/x'))) as Error
    expect(error).toMatchObject({ code: 'ERR_SERVICE_REQUEST', attempts: 0 })
    expect(error.message).toBe('execute-api: GET /x: no credentials: secretAccessKey is missing or not printable ASCII')
    expect(send).not.toHaveBeenCalled()
  })
})

describe('createSignedFetch', () => {
  it('takes null for no options, as fetch does', async () => {
    const { sent, fetch } = record()
    await fetch(URL_, null as never)
    expect(sent).toHaveLength(1)
  })

  it('signs host, content type and x-amz headers, and nothing else', async () => {
    const { sent, fetch } = record()
    const headers = {
      'content-type': 'application/json',
      'x-amz-meta': 'm',
      accept: '*/*',
      'x-amzn-trace-id': 'Root=1',
      traceparent: 't',
    }
    await fetch(URL_, { method: 'POST', body: '{}', headers })
    expect(sent[0]?.headers.get('authorization')).toMatch(
      /^AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE\/\d{8}\/eu-central-1\/execute-api\/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta;x-amz-security-token, Signature=[\da-f]{64}$/,
    )
    expect(sent[0]?.headers.get('traceparent')).toBe('t')
  })

  it('replaces headers of an earlier signature, and sends no token if there is none', async () => {
    const { accessKeyId, secretAccessKey } = IDENTITY
    const { sent, fetch } = record({ credentials: { accessKeyId, secretAccessKey } })
    await fetch(URL_, {
      headers: { 'x-amz-date': 'old', 'x-amz-security-token': 'old', 'x-amz-content-sha256': 'old' },
    })
    const headers = sent[0]?.headers as Headers
    expect(headers.get('x-amz-date')).toMatch(/^\d{8}T\d{6}Z$/)
    expect(headers.get('x-amz-content-sha256')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(headers.has('x-amz-security-token')).toBe(false)
  })

  it.each([
    ['text', 'ü', 'c3bc'],
    ['bytes', new Uint8Array([1, 2, 3]), '010203'],
    ['a buffer', new Uint8Array([1, 2, 3]).buffer, '010203'],
    ['form fields', new URLSearchParams({ a: 'b c' }), Buffer.from('a=b+c').toString('hex')],
    ['a Blob', new Blob(['abc']), '616263'],
    ['an empty text', '', ''],
  ])('turns %s into the bytes that it hashes', async (_, body, hex) => {
    const { sent, fetch } = record()
    await fetch(URL_, { method: 'PUT', body })
    expect(Buffer.from(sent[0]?.body as Uint8Array).toString('hex')).toBe(hex)
  })

  it('turns a finite stream into bytes', async () => {
    const { sent, fetch } = record()
    const body = new Blob(['streamed']).stream()
    await fetch(URL_, { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(Buffer.from(sent[0]?.body as Uint8Array).toString()).toBe('streamed')
  })

  it('refuses a body that cannot be read, before anything is sent', async () => {
    const { sent, fetch } = record()
    const cause = new Error('gone')
    const body = new ReadableStream({ pull: (stream) => stream.error(cause) })
    const error = await rejection(fetch(URL_, { method: 'POST', body, duplex: 'half' } as RequestInit))
    expect(error).toBeInstanceOf(ServiceRequestError)
    expect(error).toMatchObject({ message: 'execute-api: POST /prod/jobs: the body could not be read', cause })
    expect(sent).toEqual([])
  })

  it('gives a transport of the caller Headers and bytes, however many', async () => {
    const { sent, fetch } = record()
    const bytes = new Uint8Array(300_000).fill(1)
    await fetch(URL_, { method: 'POST', body: bytes })
    expect(sent[0]?.headers).toBeInstanceOf(Headers)
    expect(sent[0]?.body).toEqual(bytes)
  })

  it('derives a signing key once for an identity and a day', async () => {
    const sign = createSign({ region: 'eu-central-1', service: 'execute-api' })
    const request = { method: 'GET', wire: toWireUrl(new URL(URL_), 'twice'), headers: {}, payloadHash: sha256Hex('') }
    const [today, tomorrow] = [new Date('2026-11-22T01:00:00Z'), new Date('2026-11-23T01:00:00Z')]
    const derived = sign(request, IDENTITY, today)
    expect(derived).toBeInstanceOf(Promise)
    const { signature } = await derived
    expect(sign(request, { ...IDENTITY }, today)).toMatchObject({ signature })
    expect(sign(request, IDENTITY, tomorrow)).toBeInstanceOf(Promise)
    expect(sign(request, { ...IDENTITY, secretAccessKey: 'other' }, today)).toBeInstanceOf(Promise)
  })

  it("writes a form's boundary once, in body and content type", async () => {
    const { sent, fetch } = record()
    const form = new FormData()
    form.set('field', 'value')
    await fetch(URL_, { method: 'POST', body: form })
    const boundary = /boundary=(.+)$/.exec(sent[0]?.headers.get('content-type') ?? '')?.[1]
    expect(boundary).toBeTruthy()
    expect(Buffer.from(sent[0]?.body as Uint8Array).toString()).toContain(`--${boundary}`)
  })

  it('sends the strict form of the URL, follows no redirect, and passes on unknown members of init', async () => {
    const { sent, fetch } = record()
    const dispatcher = {}
    await fetch(`${URL_}/a b?q='`, { redirect: 'follow', dispatcher } as RequestInit)
    expect(sent[0]?.url).toBe(`${URL_}/a%20b?q=%27`)
    expect(sent[0]?.init).toMatchObject({ redirect: 'manual', dispatcher })
  })

  it('takes a Request, its body, headers and signal', async () => {
    const { sent, fetch } = record()
    const controller = new AbortController()
    await fetch(new Request(URL_, { method: 'PATCH', body: 'x', headers: { a: 'b' }, signal: controller.signal }))
    expect(sent[0]?.init.method).toBe('PATCH')
    expect(sent[0]?.headers.get('a')).toBe('b')
    controller.abort()
    expect(sent[0]?.init.signal?.aborted).toBe(true)
  })

  it('takes excess white space out of signed values on the wire as well', async () => {
    const { sent, fetch } = record()
    await fetch(URL_, { headers: { 'x-amz-meta': 'a   b', other: 'a   b' } })
    expect(sent[0]?.headers.get('x-amz-meta')).toBe('a b')
    expect(sent[0]?.headers.get('other')).toBe('a   b')
  })

  it("drops a host that says the same, and a length that is another body's", async () => {
    const { sent, fetch } = record()
    await fetch(URL_, { method: 'POST', body: '{}', headers: { host: new URL(URL_).host, 'content-length': '99' } })
    expect(sent[0]?.headers.has('host')).toBe(false)
    expect(sent[0]?.headers.has('content-length')).toBe(false)
  })

  it('uses credentials of the environment and the global fetch of the moment', async () => {
    setEnv({ AWS_ACCESS_KEY_ID: 'AKIDENV', AWS_SECRET_ACCESS_KEY: 's', AWS_SESSION_TOKEN: 'env-token' })
    const fetch = createSignedFetch({ region: 'eu-central-1', service: 'lambda' })
    const transport = vi.spyOn(globalThis, 'fetch').mockImplementation(() => answer('late'))
    expect(await (await fetch(URL_)).text()).toBe('late')
    const headers = new Headers(transport.mock.calls[0]?.[1]?.headers)
    expect(headers.get('authorization')).toContain('Credential=AKIDENV/')
    expect(headers.get('authorization')).toContain('/eu-central-1/lambda/')
    expect(headers.get('x-amz-security-token')).toBe('env-token')
    transport.mockRestore()
  })

  it('never mixes one identity with the token of another', async () => {
    let turn = 0
    const identities = [
      IDENTITY,
      { accessKeyId: 'AKIDTWO', secretAccessKey: 'two' },
      { ...IDENTITY, secretAccessKey: 'three' },
    ]
    const { sent, fetch } = record({ credentials: async () => identities[turn++ % 3] as typeof IDENTITY })
    for (let round = 0; round < 6; round += 1) await Promise.all([fetch(URL_), fetch(URL_)])
    for (const { headers } of sent) {
      const isFirst = headers.get('authorization')?.includes(IDENTITY.accessKeyId)
      expect(headers.get('x-amz-security-token')).toBe(isFirst ? IDENTITY.sessionToken : null)
    }
    const signatures = new Set(sent.map(({ headers }) => headers.get('authorization')))
    expect(signatures.size).toBeGreaterThanOrEqual(3)
  })

  it('signs with a new secret, though key and token stay the same', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const secrets = ['one', 'two', 'one']
    const { sent, fetch } = record({
      credentials: () => ({ ...IDENTITY, secretAccessKey: secrets[sent.length] as string }),
    })
    for (const _ of secrets) await fetch(URL_)
    vi.useRealTimers()
    const [first, second, third] = sent.map(({ headers }) => headers.get('authorization'))
    expect(first).not.toBe(second)
    expect(first).toBe(third)
  })

  it('resolves for every status, a redirect included', async () => {
    const { fetch } = record({
      fetch: () => answer(null, { status: 302, headers: { location: 'https://evil.example' } }),
    })
    expect((await fetch(URL_)).status).toBe(302)
  })
})

describe('createSignedFetch refuses, before anything is sent,', () => {
  const MiB = 1024 * 1024
  it.each([
    [
      'a caller-supplied authorization',
      { headers: { Authorization: 'hunter2' } },
      "the header 'authorization' must not be set: signing sets it",
    ],
    [
      'another host',
      { headers: { host: 'evil.example' } },
      /the header 'host' must be the URL's host id\.execute-api.*x-apigw-api-id/,
    ],
    [
      'a signed header that is not ASCII',
      { headers: { 'x-amz-meta': 'hunter2é' } },
      "the header 'x-amz-meta' is signed and must be printable ASCII",
    ],
    [
      'a body over 10 MB',
      { method: 'POST', body: new Uint8Array(10 * MiB + 1) },
      'the body has 10485761 bytes, but API Gateway accepts at most 10485760',
    ],
  ])('%s', async (_, init, problem) => {
    const { sent, fetch } = record()
    const error = (await rejection(fetch(URL_, init))) as ServiceRequestError
    expect(error).toBeInstanceOf(ServiceRequestError)
    expect(error).toMatchObject({ service: 'execute-api', path: '/prod/jobs', attempts: 0, statusCode: 500 })
    expect(error.message.replace(/^execute-api: \w+ \/prod\/jobs: /, '')).toMatch(problem)
    expect(error.message).not.toContain('hunter2')
    expect(sent).toEqual([])
  })

  it('but not a body of exactly 10 MB, nor a larger one for another AWS service', async () => {
    await record().fetch(URL_, { method: 'POST', body: new Uint8Array(10 * MiB) })
    await record({ service: 'lambda' }).fetch(URL_, { method: 'POST', body: new Uint8Array(10 * MiB + 1) })
  })

  it('a body that breaks while it is read', async () => {
    const cause = new Error('disk gone')
    const body = new ReadableStream({ pull: (controller) => controller.error(cause) })
    const error = await rejection(record().fetch(URL_, { method: 'POST', body, duplex: 'half' } as RequestInit))
    expect(error).toMatchObject({ code: 'ERR_SERVICE_REQUEST', cause })
  })

  it('a call without credentials', async () => {
    const cause = new Error('no role')
    const { fetch } = record({ credentials: () => Promise.reject(cause) })
    expect(await rejection(fetch(URL_))).toMatchObject({
      cause,
      message: expect.stringContaining('no credentials: no role'),
    })
    const odd = record({ credentials: () => Promise.reject('odd') })
    expect(await rejection(odd.fetch(URL_))).toMatchObject({ message: expect.stringContaining('no credentials: odd') })
  })

  it('a call that its caller aborted meanwhile', async () => {
    const controller = new AbortController()
    const { sent, fetch } = record({
      credentials: async () => {
        controller.abort(new Error('enough'))
        return IDENTITY
      },
    })
    expect(await rejection(fetch(URL_, { signal: controller.signal }))).toMatchObject({ message: 'enough' })
    expect(sent).toEqual([])
  })

  it.each([
    [{ ...OPTIONS, region: '' }, ['region: must be a region such as eu-central-1; got an empty string']],
    [{ ...OPTIONS, region: undefined }, ['region: is missing']],
    [{ region: 'eu-central-1' }, ['service: is missing']],
    [undefined, ['region: is missing', 'service: is missing', 'options: must be an object; got undefined']],
    [
      { service: 'a/b', regoin: 'x', credentials: { accessKeyId: 'a' }, fetch: 5 },
      [
        'region: is missing',
        'service: must be a signing name such as execute-api; got a string',
        'regoin: no such option of createSignedFetch; did you mean region?',
        'credentials: must be credentials, or a provider function; got an object',
        'fetch: must be a function; got 5',
      ],
    ],
  ])('wrong options, %o', (options, problems) => {
    expect(() => createSignedFetch(options as SignedFetchOptions)).toThrow(
      expect.objectContaining({ name: 'ServicesConfigurationError', problems }),
    )
  })

  it('blanks around the region are none of it', async () => {
    const { sent, fetch } = record({ region: ' eu-central-1\n' })
    await fetch(URL_)
    expect(sent[0]?.headers.get('authorization')).toContain('/eu-central-1/execute-api/')
  })
})

describe('createSignedFetch fails as fetch does:', () => {
  const startServer = async (listener: RequestListener) => {
    const server = createServer(listener).listen(0, '127.0.0.1')
    onTestFinished(() => {
      server.close()
    })
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`
  }

  it('without a connection', async () => {
    const url = await startServer((request) => request.destroy())
    const error = await rejection(createSignedFetch(OPTIONS)(url))
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ message: 'fetch failed', cause: { code: 'ECONNRESET' } })
  })

  it('with a body that is cut off', async () => {
    const url = await startServer((_, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('half', () => response.destroy())
    })
    const response = await createSignedFetch(OPTIONS)(url)
    const error = await rejection(response.text())
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ message: 'terminated', cause: { code: 'ECONNRESET' } })
  })

  it("with its caller's reason", async () => {
    const url = await startServer(() => {})
    const controller = new AbortController()
    setTimeout(() => controller.abort('mine'), 20)
    const fetch = createSignedFetch(OPTIONS)
    expect(await rejection(fetch(url, { signal: controller.signal }))).toBe('mine')
    expect(await rejection(fetch(new Request(url, { signal: AbortSignal.abort('early') })))).toBe('early')
  })

  it("with a transport's own TypeError", async () => {
    const error = new TypeError('fetch failed')
    const failure = await rejection(record({ fetch: () => Promise.reject(error) }).fetch(URL_))
    expect(failure).toBeInstanceOf(TypeError)
    expect(failure).toEqual(error)
    expect(failure).not.toHaveProperty('cause')
  })

  it("with the message and the cause of a transport's TypeError, without secrets", async () => {
    const { accessKeyId } = IDENTITY
    const error = new TypeError(`no response for ${accessKeyId}`, { cause: new Error(`refused ${accessKeyId}`) })
    const failure = await rejection(record({ fetch: () => Promise.reject(error) }).fetch(URL_))
    expect(failure).toBeInstanceOf(TypeError)
    expect(failure).toMatchObject({ message: 'no response for [redacted]', cause: { message: 'refused [redacted]' } })
  })

  it("with another error of a transport as the cause of fetch's own", async () => {
    const failure = await rejection(record({ fetch: () => Promise.reject(new RangeError('x')) }).fetch(URL_))
    expect(failure).toBeInstanceOf(TypeError)
    expect(failure).toMatchObject({ message: 'fetch failed', cause: { name: 'RangeError', message: 'x' } })
  })

  it('for an invalid URL', async () => {
    expect(await rejection(record().fetch('jobs'))).toBeInstanceOf(TypeError)
  })
})

describe('a body of many bytes', () => {
  const LARGE = 300_000

  it("is sent as it was when the call began, by Node's own client", async () => {
    const gateway = await useGateway({
      ai: { 'PUT /files': ({ body }) => ({ bytes: body.length, last: body.at(-1) }) },
    })
    const { ai } = createServices({ services: ['ai'] })
    const body = new Uint8Array(LARGE).fill(120)
    const answered = ai.put('files', { body }).json()
    body.fill(0)
    expect(await answered).toEqual({ bytes: LARGE, last: 120 })
    expect(gateway.requests).toMatchObject([
      { headers: { 'content-length': String(LARGE) }, signature: { verified: true }, status: 200 },
    ])
  })

  it('is given to other transports as bytes', async () => {
    const { sent, fetch } = record()
    const body = new Uint8Array(LARGE).fill(120)
    const answered = fetch(URL_, { method: 'PUT', body })
    body.fill(0)
    await answered
    expect(sent[0]?.body).toEqual(new Uint8Array(LARGE).fill(120))
    expect(sent[0]?.headers.get('x-amz-content-sha256')).toBe(sha256Hex(new Uint8Array(LARGE).fill(120)))
  })
})

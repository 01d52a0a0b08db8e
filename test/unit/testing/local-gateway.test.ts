import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect, Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices } from '../../../src/index.ts'
import { fail, reply, startLocalGateway } from '../../../src/testing/index.ts'
import { foreignHeaders, IDENTITY, rejection, sendRaw, setEnv, useGateway } from '../../support/helpers.ts'

beforeEach(() => {
  // It shows the errors of routes that fail.
  vi.spyOn(console, 'error').mockImplementation(() => {})
})
afterEach(() => {
  vi.restoreAllMocks()
})

const amzDate = (time: number) => new Date(time).toISOString().replace(/[-:]|\.\d+/g, '')

describe('startLocalGateway', () => {
  it('routes by method and path, with params, and responds with JSON, text, bytes or nothing', async () => {
    const gateway = await useGateway({
      ai: {
        'GET /jobs/:id': ({ params, path }) => ({ params, path }),
        'GET /jobs/latest': 'a literal comes first',
        'GET /:any/latest': 'and so does one further on the left',
        'GET /sp%20ace/ü': 'decoded',
        'DELETE /jobs/:id': undefined,
        'GET /text': 'plain',
        'GET /bytes': reply(200, new Uint8Array([1, 2]), { 'content-type': 'application/octet-stream' }),
        'POST /echo': async ({ json, searchParams, headers }) =>
          reply(201, { json, searchParams, type: headers['content-type'] }, { 'x-mine': '1' }),
        'HEAD /jobs/:id': reply(200, { length: 'only' }),
        'GET /': { root: true },
        'GET /odd': reply(999),
      },
    })
    const { ai } = createServices({ services: ['ai'] })
    expect(await ai.get('jobs/a%2Fb c').json()).toEqual({ params: { id: 'a/b c' }, path: '/jobs/a/b c' })
    expect(await ai.get('jobs/100%').json()).toMatchObject({ params: { id: '100%' } })
    expect(await ai.get('jobs/latest').text()).toBe('a literal comes first')
    const encoded = '/ai/jobs/100%'
    const raw = await sendRaw(gateway, encoded, { headers: foreignHeaders(gateway, encoded) })
    expect(JSON.parse(raw.body)).toMatchObject({ params: { id: '100%' } })
    expect(await ai.get('drafts/latest').text()).toBe('and so does one further on the left')
    expect(await ai.get('sp ace/ü').text()).toBe('decoded')
    expect((await ai.delete('jobs/1')).status).toBe(204)
    expect((await ai.head('jobs/1')).headers.get('content-length')).toBe('17')
    expect(await ai.get('text').text()).toBe('plain')
    expect([...(await ai.get('bytes').bytes())]).toEqual([1, 2])
    expect(await ai.get('/').json()).toEqual({ root: true })
    expect((await ai.fetch('/odd')).status).toBe(999)
    expect((await ai.delete('jobs/1')).headers.has('content-type')).toBe(false)
    const created = await ai.post('echo?a=1&b=2&a=3', { json: { x: 1 } })
    expect([created.status, created.headers.get('x-mine')]).toEqual([201, '1'])
    expect(await created.json()).toEqual({ json: { x: 1 }, searchParams: { a: '3', b: '2' }, type: 'application/json' })
  })

  it('records the requests that it received', async () => {
    const gateway = await useGateway({ userProfile: { 'PUT /u/:id': { ok: true } } })
    const { userProfile } = createServices({ services: ['userProfile'] })
    const startedAt = performance.now()
    await userProfile.put('u/1?x=y', { json: { n: 1 } }).json()
    expect(gateway.requests[0]?.durationMs).toBeLessThan(performance.now() - startedAt)
    expect(gateway.env).toEqual({
      USER_PROFILE_SERVICE_API_URL: `${gateway.url}/userProfile`,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: IDENTITY.accessKeyId,
      AWS_SECRET_ACCESS_KEY: IDENTITY.secretAccessKey,
      AWS_SESSION_TOKEN: IDENTITY.sessionToken,
    })
    expect(gateway.requests).toMatchObject([
      {
        service: 'userProfile',
        method: 'PUT',
        path: '/u/1',
        target: '/userProfile/u/1?x=y',
        searchParams: { x: 'y' },
        json: { n: 1 },
        status: 200,
        signature: { verified: true },
        durationMs: expect.any(Number),
      },
    ])
  })

  it('invents an identity; takes region and clock from the options', async () => {
    const now = Date.parse('2030-01-01')
    const gateway = await startLocalGateway({
      services: { ai: { 'GET /x': { ok: 1 } } },
      region: 'eu-north-1',
      now: () => now,
    })
    onTestFinished(gateway.close)
    setEnv(gateway.env)
    expect(gateway.env).toMatchObject({
      AWS_REGION: 'eu-north-1',
      AWS_ACCESS_KEY_ID: expect.stringMatching(/^ASIA[\dA-F]{16}$/),
    })
    const {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
    } = gateway.env
    const identity = { accessKeyId, secretAccessKey, sessionToken }
    const answer = await sendRaw(gateway, '/ai/x', {
      headers: foreignHeaders(gateway, '/ai/x', { identity, region: 'eu-north-1' }),
    })
    expect(answer.headers.date).toBe('Tue, 01 Jan 2030 00:00:00 GMT')
    expect(answer.body).toMatch(
      /Signature expired: \d{8}T\d{6}Z is now earlier than 20291231T235500Z \(20300101T000000Z - 5 min\.\)/,
    )
    expect(
      await createServices({ services: ['ai'] })
        .ai.get('x')
        .json(),
    ).toEqual({ ok: 1 })
    expect(gateway.requests.map(({ status }) => status)).toEqual([403, 403, 200])
    const permanent = await startLocalGateway({
      services: {},
      credentials: { accessKeyId: 'AKID', secretAccessKey: 's' },
    })
    onTestFinished(permanent.close)
    expect(permanent.env.AWS_SESSION_TOKEN).toBe('')
  })

  it('refuses routes that it cannot read', async () => {
    const wrong = [
      '/x',
      'get /x',
      'aGET /x',
      'GET x',
      'GET /a b',
      'GET /q?x=1',
      'GET /x/{id}',
      'GET /x/*',
      'GET /:',
      'GET /:a/:a',
    ]
    for (const key of wrong) {
      const error = await rejection(startLocalGateway({ services: { ai: { [key]: {} } } }))
      expect(error).toEqual(new TypeError(`Route '${key}' of service 'ai' must be like 'GET /jobs/:id'`))
    }
  })

  it('has no service for a target that is no path', async () => {
    const gateway = await useGateway({ ai: {} })
    const { hostname: host, port } = new URL(gateway.url)
    const request = get({ host, port, method: 'OPTIONS', path: '*' })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    expect([response.statusCode, gateway.requests[0]?.service, gateway.requests[0]?.path]).toEqual([403, '', '/'])
  })

  it('outlives a client that goes away in the middle of its body', async () => {
    const gateway = await useGateway({ ai: {} })
    const { hostname, port } = new URL(gateway.url)
    await new Promise<void>((resolve) => {
      const socket = connect({ host: hostname, port: Number(port) }, () => {
        socket.write('POST /ai/x HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nhalf', () =>
          setTimeout(() => socket.destroy(), 20),
        )
      }).on('close', () => resolve())
    })
    expect((await sendRaw(gateway, '/ai/x')).status).toBe(403)
    expect(gateway.requests).toHaveLength(1)
  })

  it('closes although a client still holds a connection, and more than once', async () => {
    const gateway = await startLocalGateway({ services: {} })
    await fetch(gateway.url)
    await gateway.close()
    await gateway.close()
    await rejection(fetch(gateway.url))
  })

  it('listens to this machine alone, and fails where it cannot listen', async () => {
    const listen = vi.spyOn(Server.prototype, 'listen')
    onTestFinished(() => listen.mockRestore())
    await (await startLocalGateway({ services: {} })).close()
    expect(listen).toHaveBeenCalledExactlyOnceWith(0, '127.0.0.1', expect.any(Function))
    const error = new Error('no port')
    listen.mockImplementationOnce(function (this: Server) {
      setImmediate(() => this.emit('error', error))
      return this
    })
    expect(await rejection(startLocalGateway({ services: {} }))).toBe(error)
  })

  it('disposes of itself', async () => {
    const gateway = await startLocalGateway({ services: {} })
    await gateway[Symbol.asyncDispose]()
    await rejection(fetch(gateway.url))
  })

  it('lets routes fail as those of mockServices do', async () => {
    const gateway = await useGateway({
      ai: { 'POST /x': fail('network'), 'PUT /x': ({ json }) => (json === 1 ? fail('timeout') : { json }) },
    })
    const { ai } = createServices({ services: ['ai'], timeout: 50 })
    expect(await rejection(ai.post('x').json())).toMatchObject({ code: 'ERR_SERVICE_NETWORK', attempts: 1 })
    expect(await rejection(ai.put('x', { json: 1 }).json())).toMatchObject({ code: 'ERR_SERVICE_TIMEOUT', attempts: 1 })
    expect(await ai.put('x', { json: 2, timeout: 10_000 }).json()).toEqual({ json: 2 })
    const heal = gateway.fail('ai *', fail('network'))
    expect(await rejection(ai.put('x', { json: 2, retry: 0 }).json())).toMatchObject({ code: 'ERR_SERVICE_NETWORK' })
    heal()
    expect(gateway.requests.map(({ status }) => status)).toEqual([0, 0, 200, 0])
  })

  it('gives an error that distinguishes what was signed from what arrived', async () => {
    const gateway = await useGateway({ ai: { 'POST /x': {} } })
    // What a proxy on the way may do.
    const tamper: typeof fetch = (input, init) => fetch(input, { ...init, body: 'tampered' })
    const { ai } = createServices({ services: ['ai'], fetch: tamper })
    const error = await rejection(ai.post('x', { body: 'original' }))
    const [signed, received] = ['original', 'tampered'].map((text) => createHash('sha256').update(text).digest('hex'))
    expect(error).toMatchObject({
      reason: 'signature-mismatch',
      hint: `The canonical requests differ, so something changed the request on the way:\n  payload hash: sent '${signed}', the gateway received '${received}'`,
    })
    expect(gateway.requests[0]?.signature.canonicalRequest?.split('\n').at(-1)).toBe(received)
  })

  it('lets the errors of calls at the same time, which share a signature, tell that the secret is wrong', async () => {
    const gateway = await useGateway({ ai: { 'POST /x': {} } })
    const { ai } = createServices({ services: ['ai'], credentials: { ...IDENTITY, secretAccessKey: 'wrong' } })
    vi.useFakeTimers({ toFake: ['Date'] })
    const errors = await Promise.all([1, 2, 3].map(() => rejection(ai.post('x', { body: 'same' }))))
    vi.useRealTimers()
    const hint = 'The canonical requests are the same, so the secret access key does not belong to the access key.'
    expect(errors).toMatchObject([{ hint }, { hint }, { hint }])
    expect(gateway.requests).toHaveLength(3)
  })

  it('is one of many, each with its own credentials, requests and faults', async () => {
    const gateways = await Promise.all(
      Array.from({ length: 20 }, (_, index) => startLocalGateway({ services: { ai: { 'GET /who': { index } } } })),
    )
    onTestFinished(async () => {
      await Promise.all(gateways.map((gateway) => gateway.close()))
    })
    const clients = gateways.map(({ env }) => {
      const [url, accessKeyId, secretAccessKey, sessionToken] = [
        env.AI_SERVICE_API_URL,
        env.AWS_ACCESS_KEY_ID,
        env.AWS_SECRET_ACCESS_KEY,
        env.AWS_SESSION_TOKEN,
      ] as [string, string, string, string]
      const credentials = { accessKeyId, secretAccessKey, sessionToken }
      return createServices({ services: { ai: url }, region: 'us-east-1', credentials, retry: 0 }).ai
    })
    gateways[3]?.fail('ai *', 'internal-error')
    const ask = () => Promise.all(clients.map((ai) => ai.fetch('who').then(({ status }) => status)))
    const expected = clients.map((_, index) => (index === 3 ? 500 : 200))
    for (let round = 0; round < 5; round += 1) expect(await ask()).toEqual(expected)
    expect(gateways.map(({ requests }) => requests.length)).toEqual(Array(20).fill(5))
    expect(gateways.flatMap(({ requests }) => requests).every(({ signature }) => signature.verified)).toBe(true)
  })
})

describe('startLocalGateway refuses as API Gateway does:', () => {
  const PATH = '/ai/jobs/1'
  const start = () =>
    useGateway({
      ai: {
        'GET /jobs/:id': { ok: true },
        'POST /jobs': { ok: true },
      },
    })

  it('accepts requests of another signer', async () => {
    const gateway = await start()
    expect(await sendRaw(gateway, PATH, { headers: foreignHeaders(gateway, PATH) })).toMatchObject({
      status: 200,
      body: '{"ok":true}',
    })
  })

  it('an unsigned request, and an unknown route, service or method', async () => {
    const gateway = await start()
    const expected = {
      status: 403,
      errorType: 'MissingAuthenticationTokenException',
      body: '{"message":"Missing Authentication Token"}',
    }
    expect(await sendRaw(gateway, PATH)).toMatchObject(expected)
    for (const path of ['/ai/none', '/none/jobs/1', '/', '/ai/jobs/', '/ai/jobs/1/2', '/ai/%zz']) {
      expect(await sendRaw(gateway, path, { headers: foreignHeaders(gateway, path) })).toMatchObject(expected)
    }
    expect(await sendRaw(gateway, PATH, { method: 'PUT' })).toMatchObject(expected)
  })

  it('an authorization of another kind, without repeating it', async () => {
    const gateway = await start()
    const answer = await sendRaw(gateway, PATH, { headers: { authorization: 'Bearer hunter2' } })
    expect(answer).toMatchObject({ status: 403, errorType: 'IncompleteSignatureException' })
    expect(answer.body).toContain('not a valid key=value pair (missing equal-sign) in Authorization header')
    expect(answer.body).not.toContain('hunter2')
  })

  it.each([
    ['an unknown key', { ...IDENTITY, accessKeyId: 'AKIDOTHER' }],
    ['a wrong token', { ...IDENTITY, sessionToken: 'other' }],
    ['no token', { accessKeyId: IDENTITY.accessKeyId, secretAccessKey: IDENTITY.secretAccessKey }],
  ])('%s', async (_, identity) => {
    const gateway = await start()
    expect(await sendRaw(gateway, PATH, { headers: foreignHeaders(gateway, PATH, { identity }) })).toMatchObject({
      status: 403,
      errorType: 'UnrecognizedClientException',
      body: '{"message":"The security token included in the request is invalid."}',
    })
  })

  it('a wrong secret, and shows the expected canonical request', async () => {
    const gateway = await start()
    const identity = { ...IDENTITY, secretAccessKey: 'wrong' }
    const answer = await sendRaw(gateway, PATH, { headers: foreignHeaders(gateway, PATH, { identity }) })
    expect(answer).toMatchObject({ status: 403, errorType: 'InvalidSignatureException' })
    expect(JSON.parse(answer.body).message).toMatch(
      /^The request signature we calculated does not match the signature you provided\. Check your AWS Secret Access Key and signing method\. Consult the service documentation for details\.\n\nThe Canonical String for this request should have been\n'GET\n\/ai\/jobs\/1\n\nhost:.*'\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n/s,
    )
    expect(gateway.requests[0]?.signature).toMatchObject({
      verified: false,
      canonicalRequest: expect.stringMatching(/^GET\n/),
      stringToSign: expect.stringMatching(/^AWS4/),
    })
  })

  it.each([
    ['another region', { region: 'eu-west-1' }],
    ['another service', { service: 'lambda' }],
  ])('a credential scope of %s', async (_, extra) => {
    const gateway = await start()
    expect(await sendRaw(gateway, PATH, { headers: foreignHeaders(gateway, PATH, extra) })).toMatchObject({
      status: 403,
      errorType: 'InvalidSignatureException',
      body: expect.stringContaining('Credential should be scoped'),
    })
  })

  it.each([
    ['older than five minutes', -301_000, /Signature expired: \S+ is now earlier than \S+ \(\S+ - 5 min\.\)/],
    [
      'from more than five minutes ahead',
      301_000,
      /Signature not yet current: \S+ is still later than \S+ \(\S+ \+ 5 min\.\)/,
    ],
  ])('a signature %s', async (_, offset, message) => {
    const gateway = await start()
    const headers = foreignHeaders(gateway, PATH, { headers: { 'X-Amz-Date': amzDate(Date.now() + offset) } })
    const answer = await sendRaw(gateway, PATH, { headers })
    expect(answer).toMatchObject({ status: 403, errorType: 'InvalidSignatureException' })
    expect(answer.body).toMatch(message)
  })

  it.each([
    [
      'no date',
      (headers: Record<string, unknown>) => {
        delete headers['X-Amz-Date']
      },
      /scoped/,
    ],
    [
      'a date that is none',
      (headers: Record<string, unknown>) => {
        headers['X-Amz-Date'] = `${String(headers['X-Amz-Date']).slice(0, 8)}T996161Z`
      },
      /Date in Credential scope does not match/,
    ],
    [
      'a date in another format',
      (headers: Record<string, unknown>) => {
        headers['X-Amz-Date'] = `${String(headers['X-Amz-Date']).slice(0, 8)}`
      },
      /Date in Credential scope does not match/,
    ],
    [
      'an x-amz header that is not signed',
      (headers: Record<string, unknown>) => {
        headers['x-amz-extra'] = '1'
      },
      /'x-amz-extra' must be a 'SignedHeader'/,
    ],
    [
      'a host that is not signed',
      (headers: Record<string, unknown>) => {
        headers.Authorization = String(headers.Authorization).replace('SignedHeaders=host;', 'SignedHeaders=')
      },
      /'Host' or ':authority' must be a 'SignedHeader'/,
    ],
    [
      'a signed header that is missing',
      (headers: Record<string, unknown>) => {
        headers.Authorization = String(headers.Authorization).replace('SignedHeaders=host', 'SignedHeaders=gone;host')
      },
      /the 'SignedHeader' 'gone' is missing/,
    ],
  ])('%s', async (_, change, message) => {
    const gateway = await start()
    const headers = { ...foreignHeaders(gateway, PATH) } as Record<string, unknown>
    change(headers)
    const answer = await sendRaw(gateway, PATH, { headers })
    expect(answer).toMatchObject({ status: 403, errorType: 'InvalidSignatureException' })
    expect(answer.body).toMatch(message)
  })

  it('a body over 10 MB', async () => {
    const gateway = await start()
    expect(await sendRaw(gateway, '/ai/jobs', { method: 'POST', body: Buffer.alloc(10_485_761) })).toMatchObject({
      status: 413,
      headers: { 'content-type': 'text/plain' },
      body: 'HTTP content length exceeded 10485760 bytes.',
    })
    expect((await sendRaw(gateway, '/ai/jobs', { method: 'POST', body: Buffer.alloc(10_485_760) })).status).toBe(403)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('bug')
      },
    ],
    ['answers what is no JSON', () => ({ big: 1n })],
    ['answers a status that is none', () => reply(1000)],
    ['answers a header that is none', () => reply(200, {}, { 'a b': 'c' })],
    ['answers a header value that is none', () => reply(200, {}, { a: 'b\r\nc: d' })],
  ])('a route that %s', async (_, route) => {
    const gateway = await useGateway({ ai: { 'GET /throws': route } })
    expect(await sendRaw(gateway, '/ai/throws', { headers: foreignHeaders(gateway, '/ai/throws') })).toMatchObject({
      status: 502,
      errorType: 'InternalServerErrorException',
      body: '{"message": "Internal server error"}',
      headers: {
        'x-amzn-requestid': expect.stringMatching(/^[\da-f-]{36}$/),
        'x-amz-apigw-id': expect.stringMatching(/^[\da-f]{15}$/),
        date: expect.any(String),
      },
    })
    expect(gateway.requests[0]?.status).toBe(502)
    expect(gateway.requests[0]?.error).toBeInstanceOf(Error)
  })
})

import { connect } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices } from '../../../src/index.ts'
import { type Fault, type FaultName, fail, type LocalGateway, startLocalGateway } from '../../../src/testing/index.ts'
import { type Answer, foreignHeaders, IDENTITY, rejection, sendRaw, useGateway } from '../../support/helpers.ts'

const NOW = Date.parse('2030-01-01')
const ROUTE = 'ai POST /generate/:id'
const PATH = '/ai/generate/a%20b'
const BODY = '{"prompt":"x"}'

async function start(): Promise<LocalGateway> {
  const gateway = await startLocalGateway({
    services: {
      ai: { 'POST /generate/:id': { ok: true }, 'GET /jobs': [] },
      integration: { 'GET /jobs': [] },
    },
    credentials: IDENTITY,
    now: () => NOW,
  })
  onTestFinished(gateway.close)
  return gateway
}

/** Signed by another signer, at the gateway's time. */
function post(gateway: LocalGateway, path = PATH): Promise<Answer> {
  const signed = { method: 'POST', body: BODY, headers: { 'X-Amz-Date': '20300101T000000Z' } }
  return sendRaw(gateway, path, { ...signed, headers: foreignHeaders(gateway, path, signed) })
}

const get = (gateway: LocalGateway, path: string) =>
  sendRaw(gateway, path, {
    headers: foreignHeaders(gateway, path, { headers: { 'X-Amz-Date': '20300101T000000Z' } }),
  })

/** A raw connection: what came back so far, and how it ended. */
function open(gateway: LocalGateway, text: string) {
  const { hostname, port } = new URL(gateway.url)
  const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(text))
  let received = ''
  let failure: string | undefined
  socket.on('data', (chunk) => {
    received += chunk
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code
  })
  onTestFinished(() => {
    socket.destroy()
  })
  return {
    socket,
    received: () => received,
    ended: new Promise<string>((resolve) => socket.on('close', () => resolve(failure ?? 'end'))),
  }
}

const HEAD = `POST ${PATH} HTTP/1.1\r\nhost: h\r\ncontent-length: ${BODY.length}\r\n\r\n`
const pause = () => new Promise((resolve) => setTimeout(resolve, 50))

const denied = (reason: string) =>
  `{"Message":"User: arn:aws:sts::123456789012:assumed-role/caller/fn is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:ai/prod/POST/generate/a b ${reason}"}`

/** Name, status, error type and body. */
const REFUSALS: readonly (readonly [FaultName, number, string | undefined, string | RegExp])[] = [
  ['missing-token', 403, 'MissingAuthenticationTokenException', '{"message":"Missing Authentication Token"}'],
  [
    'incomplete-signature',
    403,
    'IncompleteSignatureException',
    /^\{"message":"not a valid key=value pair \(missing equal-sign\) in Authorization header \(hashed with SHA-256\): '[\da-f]{64}'"\}$/,
  ],
  [
    'signature-mismatch',
    403,
    'InvalidSignatureException',
    /^\{"message":"The request signature we calculated does not match the signature you provided\. Check your AWS Secret Access Key and signing method\. Consult the service documentation for details\.\\n\\nThe Canonical String for this request should have been\\n'POST\\n\/ai\/generate\/a%2520b\\n.*'\\n\\nThe String-to-Sign should have been\\n'AWS4-HMAC-SHA256\\n20300101T000000Z\\n20300101\/us-east-1\/execute-api\/aws4_request\\n[\da-f]{64}'\\n"\}$/,
  ],
  [
    'signature-expired',
    403,
    'InvalidSignatureException',
    '{"message":"Signature expired: 20291231T234500Z is now earlier than 20291231T235500Z (20300101T000000Z - 5 min.)"}',
  ],
  [
    'signature-not-yet-current',
    403,
    'InvalidSignatureException',
    '{"message":"Signature not yet current: 20300101T001500Z is still later than 20300101T000500Z (20300101T000000Z + 5 min.)"}',
  ],
  [
    'invalid-token',
    403,
    'UnrecognizedClientException',
    '{"message":"The security token included in the request is invalid."}',
  ],
  [
    'expired-token',
    403,
    'ExpiredTokenException',
    '{"message":"The security token included in the request is expired"}',
  ],
  [
    'access-denied',
    403,
    'AccessDeniedException',
    denied('because no identity-based policy allows the execute-api:Invoke action'),
  ],
  ['access-denied-explicit', 403, 'AccessDeniedException', denied('with an explicit deny in a resource-based policy')],
  ['forbidden', 403, 'ForbiddenException', '{"message":"Forbidden"}'],
  ['throttled', 429, 'TooManyRequestsException', '{"message":"Too Many Requests"}'],
  ['quota', 429, 'LimitExceededException', '{"message":"Limit Exceeded"}'],
  ['integration-timeout', 504, 'InternalServerErrorException', '{"message": "Endpoint request timed out"}'],
  ['bad-gateway', 502, 'InternalServerErrorException', '{"message": "Internal server error"}'],
  ['internal-error', 500, 'InternalServerErrorException', '{"message": "Internal server error"}'],
  ['too-large', 413, undefined, 'HTTP content length exceeded 10485760 bytes.'],
  ['http-api-forbidden', 403, undefined, '{"message":"Forbidden"}'],
  ['http-api-not-found', 404, undefined, '{"message":"Not Found"}'],
]

const BREAKS = ['reset-before-read', 'reset-after-read', 'network', 'half-answer', 'hang', 'timeout', 'hang-in-body']

describe.each(REFUSALS)('gateway.fail with %s', (name, status, errorType, body) => {
  it('responds as API Gateway does, until it is healed', async () => {
    const gateway = await start()
    const heal = gateway.fail(ROUTE, name)
    const answer = await post(gateway)
    const ids = name.startsWith('http-api-') ? ['apigw-requestid'] : ['x-amz-apigw-id', 'x-amzn-requestid']
    expect(answer).toMatchObject({ status, errorType })
    expect(answer.body).toMatch(body)
    if (typeof body === 'string') expect(answer.body).toBe(body)
    expect(answer.headers).toEqual({
      date: 'Tue, 01 Jan 2030 00:00:00 GMT',
      connection: 'keep-alive',
      'content-type': name === 'too-large' ? 'text/plain' : 'application/json',
      'content-length': String(answer.body.length),
      ...(errorType && { 'x-amzn-errortype': errorType }),
      ...Object.fromEntries(ids.map((id) => [id, expect.stringMatching(/./)])),
    })
    heal()
    expect((await post(gateway)).status).toBe(200)
    expect(gateway.requests).toMatchObject([
      { status, json: { prompt: 'x' }, signature: { verified: true }, durationMs: expect.any(Number) },
      { status: 200 },
    ])
  })

  it('takes precedence over the check of the signature', async () => {
    const gateway = await start()
    gateway.fail(ROUTE, name)
    const headers = { authorization: 'Bearer hunter2' }
    const answer = await sendRaw(gateway, PATH, { method: 'POST', body: BODY, headers })
    expect(answer).toMatchObject({ status, errorType })
    expect(answer.body).not.toContain('hunter2')
    expect((await sendRaw(gateway, PATH, { method: 'POST' })).status).toBe(status)
    expect(gateway.requests).toMatchObject([
      { status, signature: { errorType: 'IncompleteSignatureException' } },
      { status, signature: { errorType: 'MissingAuthenticationTokenException' } },
    ])
  })
})

describe('gateway.fail with signature-mismatch', () => {
  it('repeats the session token, which our clients keep out of their errors', async () => {
    const gateway = await useGateway({ ai: { 'POST /generate/:id': {} } })
    gateway.fail(ROUTE, 'signature-mismatch')
    const { ai } = createServices({ services: ['ai'] })
    const error = await rejection(ai.post('generate/1', { json: {} }).json())
    const { signature } = gateway.requests[0] ?? {}
    expect(signature?.canonicalRequest).toContain(IDENTITY.sessionToken)
    expect(inspect(error, { depth: 9, showHidden: true })).toContain('InvalidSignatureException')
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(IDENTITY.sessionToken)
    const { method, rawHeaders } = gateway.requests[0] ?? {}
    const headers: Record<string, string> = {}
    for (let index = 0; index < (rawHeaders?.length ?? 0); index += 2) {
      headers[rawHeaders?.[index] as string] = rawHeaders?.[index + 1] as string
    }
    const again = await sendRaw(gateway, '/ai/generate/1', { method: method as string, headers, body: '{}' })
    expect(JSON.parse(again.body).message).toContain(`x-amz-security-token:${IDENTITY.sessionToken}\n`)
    expect(JSON.parse(again.body).message).toContain(signature?.stringToSign)
  })

  it('only says that it differs where there is nothing to repeat', async () => {
    const gateway = await start()
    gateway.fail(ROUTE, 'signature-mismatch')
    const { body } = await sendRaw(gateway, PATH, { method: 'POST' })
    expect(body).toMatch(/^\{"message":"The request signature .* for details\."\}$/)
  })
})

describe('gateway.fail with a break of the connection:', () => {
  it('resets before it has read the body', async () => {
    const gateway = await start()
    gateway.fail(ROUTE, 'reset-before-read')
    const connection = open(gateway, HEAD)
    expect(await connection.ended).toBe('ECONNRESET')
    expect(connection.received()).toBe('')
    expect(gateway.requests).toMatchObject([{ path: '/generate/a b', status: 0, body: new Uint8Array() }])
    expect(await rejection(post(gateway))).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) })
    expect(gateway.requests).toHaveLength(2)
  })

  it.each<Fault>(['reset-after-read', 'network', { fault: 'network', times: 2 }, fail('network')])(
    'resets once it has read the body, by %o',
    async (fault) => {
      const gateway = await start()
      gateway.fail(ROUTE, fault)
      const connection = open(gateway, HEAD)
      await pause()
      expect(gateway.requests).toEqual([])
      connection.socket.write(BODY)
      expect(await connection.ended).toBe('ECONNRESET')
      expect(connection.received()).toBe('')
      expect(await rejection(post(gateway))).toMatchObject({ code: 'ECONNRESET' })
      expect(gateway.requests).toMatchObject([
        { status: 0, json: { prompt: 'x' } },
        { status: 0, signature: { verified: true } },
      ])
    },
  )

  it('ends half-way through a response', async () => {
    const gateway = await start()
    gateway.fail(ROUTE, 'half-answer')
    const connection = open(gateway, HEAD + BODY)
    expect(await connection.ended).toBe('end')
    expect(connection.received()).toMatch(
      /^HTTP\/1\.1 200 OK\r\n.*content-type: application\/json\r\ncontent-length: 28\r\n.*\r\n\r\n\{"items":\[1,2,$/s,
    )
    expect(await rejection(post(gateway))).toMatchObject({ message: 'aborted', code: 'ECONNRESET' })
    expect(gateway.requests).toMatchObject([{ status: 200 }, { status: 200, json: { prompt: 'x' } }])
  })

  it.each<Fault>(['hang', 'timeout', { fault: 'timeout', times: 1 }, fail('timeout')])(
    'hangs by %o, until it closes',
    async (fault) => {
      const gateway = await start()
      gateway.fail(ROUTE, fault)
      const connection = open(gateway, HEAD + BODY)
      await vi.waitFor(() => expect(gateway.requests).toMatchObject([{ status: 0, json: { prompt: 'x' } }]))
      await pause()
      expect(connection.received()).toBe('')
      expect(connection.socket.closed).toBe(false)
      await gateway.close()
      await connection.ended
      expect(gateway.requests).toHaveLength(1)
    },
  )

  it('sends the head of a response that has nothing more', async () => {
    const gateway = await useGateway({ ai: { 'HEAD /x': {} } })
    gateway.fail('*', 'hang-in-body')
    const connection = open(gateway, 'HEAD /ai/x HTTP/1.1\r\nhost: h\r\n\r\n')
    await vi.waitFor(() => expect(connection.received()).toMatch(/^HTTP\/1\.1 200 OK\r\n/))
  })

  it('hangs half-way through a response, until it closes', async () => {
    const gateway = await start()
    gateway.fail(ROUTE, 'hang-in-body')
    const connection = open(gateway, HEAD + BODY)
    await vi.waitFor(() =>
      expect(connection.received()).toMatch(
        /^HTTP\/1\.1 200 OK\r\n.*content-length: 28\r\n.*\r\n\r\n\{"items":\[1,2,$/s,
      ),
    )
    await pause()
    expect(connection.socket.closed).toBe(false)
    await gateway.close()
    await connection.ended
    expect(gateway.requests).toMatchObject([{ status: 200, json: { prompt: 'x' } }])
  })
})

describe('gateway.fail with a response of the integration', () => {
  it('sends it in place of the response of the route', async () => {
    const gateway = await start()
    gateway.fail(ROUTE, {
      status: 503,
      body: '<busy/>',
      headers: { 'Content-Type': 'text/xml', 'Retry-After': '3' },
      times: 1,
    })
    const answer = await post(gateway)
    expect(answer).toMatchObject({ status: 503, errorType: undefined, body: '<busy/>' })
    expect(answer.headers).toMatchObject({
      'content-type': 'text/xml',
      'retry-after': '3',
      'x-amzn-requestid': expect.any(String),
    })
    expect(await post(gateway)).toMatchObject({ status: 200, body: '{"ok":true}' })
    gateway.fail(ROUTE, { status: 404 })
    expect(await post(gateway)).toMatchObject({ status: 404, body: '' })
    gateway.fail(ROUTE, { status: 418, body: { short: 'stout' } })
    expect(await post(gateway)).toMatchObject({ status: 418, body: '{"short":"stout"}' })
    expect(gateway.requests.map(({ status }) => status)).toEqual([503, 200, 404, 418])
  })

  it('come after the check of the signature', async () => {
    const gateway = await start()
    gateway.fail(ROUTE, { status: 503 })
    expect((await sendRaw(gateway, PATH, { method: 'POST' })).status).toBe(403)
  })
})

describe('gateway.fail with a delay', () => {
  it('delays the normal response, and a rejection too', async () => {
    const gateway = await start()
    gateway.fail(ROUTE, { delay: 60 })
    expect(await post(gateway)).toMatchObject({ status: 200, body: '{"ok":true}' })
    expect((await sendRaw(gateway, PATH, { method: 'POST' })).status).toBe(403)
    expect(gateway.requests.map(({ status }) => status)).toEqual([200, 403])
    for (const { durationMs } of gateway.requests) expect(durationMs).toBeGreaterThanOrEqual(55)
  })

  it('runs the route at once, and gives up as soon as the client does', async () => {
    let runs = 0
    const gateway = await useGateway({ ai: { 'GET /slow': () => ++runs } })
    gateway.fail('ai *', { delay: 60_000 })
    const { ai } = createServices({ services: ['ai'] })
    await rejection(ai.get('slow', { timeout: 100, retry: 0 }).json())
    expect(runs).toBe(1)
    await vi.waitFor(() => expect(gateway.requests).toMatchObject([{ status: 0, signature: { verified: true } }]))
  })

  it('ends when the gateway closes', async () => {
    const gateway = await start()
    gateway.fail('*', { delay: 60_000 })
    const connection = open(gateway, HEAD + BODY)
    await pause()
    await gateway.close()
    await connection.ended
    await vi.waitFor(() => expect(gateway.requests).toMatchObject([{ status: 0 }]))
  })
})

describe('gateway.fail', () => {
  it('fails one route, a service, or everything that is a route', async () => {
    const gateway = await start()
    const statuses = async () => [
      (await post(gateway)).status,
      (await get(gateway, '/ai/jobs')).status,
      (await get(gateway, '/integration/jobs')).status,
      (await get(gateway, '/ai/unknown')).errorType,
    ]
    const missing = 'MissingAuthenticationTokenException'
    for (const [route, expected] of [
      [ROUTE, [429, 200, 200, missing]],
      ['ai *', [429, 429, 200, missing]],
      ['*', [429, 429, 429, missing]],
    ] as const) {
      const heal = gateway.fail(route, 'throttled')
      expect(await statuses()).toEqual(expected)
      heal()
      expect(await statuses()).toEqual([200, 200, 200, missing])
    }
  })

  it('lets the newest fault that fits win until it is used up or healed', async () => {
    const gateway = await start()
    const statuses = async (count: number) => {
      const seen: unknown[] = []
      for (let index = 0; index < count; index += 1) seen.push((await post(gateway)).status)
      return seen
    }
    const heal = gateway.fail(ROUTE, 'throttled')
    gateway.fail('*', { fault: 'internal-error', times: 2 })
    gateway.fail(ROUTE, { fault: 'integration-timeout', times: 1 })
    expect(await statuses(5)).toEqual([504, 500, 500, 429, 429])
    const healNewer = gateway.fail('ai *', { fault: 'bad-gateway', times: 3 })
    expect(await statuses(1)).toEqual([502])
    healNewer()
    healNewer()
    expect(await statuses(1)).toEqual([429])
    heal()
    expect(await statuses(1)).toEqual([200])
  })

  it('counts requests that come at once', async () => {
    const gateway = await start()
    gateway.fail(ROUTE, { fault: 'throttled', times: 3 })
    await Promise.all(Array.from({ length: 5 }, () => post(gateway)))
    expect(gateway.requests.map(({ status }) => status).sort()).toEqual([200, 200, 429, 429, 429])
  })

  it('lets a client try again', async () => {
    const gateway = await useGateway({ ai: { 'GET /jobs': { ok: true } } })
    gateway.fail('ai GET /jobs', { fault: 'throttled', times: 1 })
    const { ai } = createServices({ services: ['ai'] })
    expect(await ai.get('jobs').json()).toEqual({ ok: true })
    expect(gateway.requests.map(({ status }) => status)).toEqual([429, 200])
  })

  it.each(['ai', 'ai GET /generate/:id', 'ai POST /generate/1', 'none *', 'AI *', ''])(
    'refuses the route %o, listing those defined',
    async (route) => {
      const gateway = await start()
      expect(() => gateway.fail(route, 'throttled')).toThrow(
        new TypeError(
          `Unknown route '${route}': it must be one of '*', 'ai *', 'ai POST /generate/:id', 'ai GET /jobs', 'integration *', 'integration GET /jobs'`,
        ),
      )
    },
  )

  const names = [...REFUSALS.map(([name]) => name), ...BREAKS].join(', ')
  const TIMES = "A fault's 'times' must be a whole number of at least 1, not"
  it.each<[unknown, string | RegExp]>([
    ['thortled', `Unknown fault 'thortled': it must be one of ${names}`],
    ['constructor', `Unknown fault 'constructor': it must be one of ${names}`],
    [{ fault: 7 }, `Unknown fault 7: it must be one of ${names}`],
    [null, "A fault must be a name, or have 'fault', 'status' or 'delay'"],
    [{}, "A fault must be a name, or have 'fault', 'status' or 'delay'"],
    [{ times: 1 }, "A fault must be a name, or have 'fault', 'status' or 'delay'"],
    [{ fault: 'throttled', times: 0 }, `${TIMES} 0`],
    [{ status: 500, times: 1.5 }, `${TIMES} 1.5`],
    [{ delay: 1, times: '2' }, `${TIMES} '2'`],
    [{ delay: 1, times: Number.POSITIVE_INFINITY }, `${TIMES} Infinity`],
    [{ fault: 'throttled', headers: {} }, "A fault with 'fault' cannot have 'headers'"],
    [{ fault: 'throttled', status: 500 }, "A fault with 'fault' cannot have 'status'"],
    [{ status: 500, delay: 1 }, "A fault with 'status' cannot have 'delay'"],
    [{ delay: 1, body: 1 }, "A fault with 'delay' cannot have 'body'"],
    [{ status: 103 }, "A fault's 'status' must be a whole number from 200 to 999, not 103"],
    [{ status: '500' }, "A fault's 'status' must be a whole number from 200 to 999, not '500'"],
    [{ status: 500, body: 1n }, /BigInt/],
    [
      { status: 500, body: (async function* () {})() },
      /^a stream can be read only once: create it in a function of the route$/,
    ],
    [{ status: 500, headers: { 'a b': 'c' } }, /Header name must be a valid HTTP token/],
    [{ fault: ['throttled'] }, /^Unknown fault throttled: it must be one of /],
    [{ delay: -1 }, "A fault's 'delay' must be milliseconds from 0 to 2147483647, not -1"],
    [{ delay: Number.NaN }, "A fault's 'delay' must be milliseconds from 0 to 2147483647, not NaN"],
    [{ delay: 2 ** 31 }, "A fault's 'delay' must be milliseconds from 0 to 2147483647, not 2147483648"],
    [{ delay: '5' }, "A fault's 'delay' must be milliseconds from 0 to 2147483647, not '5'"],
  ])('refuses the fault %o', async (fault, message) => {
    const gateway = await start()
    expect(() => gateway.fail(ROUTE, fault as Fault)).toThrow(TypeError)
    expect(() => gateway.fail(ROUTE, fault as Fault)).toThrow(
      typeof message === 'string' ? new TypeError(message) : message,
    )
    expect((await post(gateway)).status).toBe(200)
  })

  it.each<object>([{ delay: 0, body: undefined }, { delay: 2 ** 31 - 1 }, { status: 200 }, { status: 999, times: 1 }])(
    'takes the fault %o',
    async (fault) => {
      const gateway = await start()
      expect(gateway.fail(ROUTE, fault as Fault)).toBeTypeOf('function')
    },
  )
})

it('refuses an authorization that is not there, showing the hash of nothing', async () => {
  const gateway = await start()
  gateway.fail('*', 'incomplete-signature')
  expect((await sendRaw(gateway, PATH, { method: 'POST' })).body).toContain(
    "'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
  )
})

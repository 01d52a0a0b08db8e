import { inspect } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import { redactCause, redactData, redactHeaders, redactText } from '../../src/errors/redact.ts'
import { createServices, type ServicesContext, signedServices } from '../../src/index.ts'
import { answer, IDENTITY, rejection, setEnv } from '../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

/** Everything a person, a logger or a serializer could make of a value. */
function show(value: unknown): string {
  const parts = [inspect(value, { depth: 12, showHidden: true, getters: true }), String(value), JSON.stringify(value)]
  if (value instanceof Error)
    parts.push(
      value.message,
      value.stack ?? '',
      show(value.cause),
      JSON.stringify(Object.getOwnPropertyDescriptors(value)),
    )
  return parts.join('\n')
}

let signatures: string[]
beforeEach(() => {
  signatures = []
  const { accessKeyId, secretAccessKey, sessionToken } = IDENTITY
  setEnv({
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
    AI_SERVICE_API_URL: BASE,
  })
})

function expectNothingSecret(value: unknown): void {
  const shown = show(value)
  for (const secret of [...Object.values(IDENTITY), ...signatures]) expect(shown).not.toContain(secret)
}

/** A service that repeats the whole signed request in its response. */
const echo =
  (status: number, type = 'application/json'): typeof fetch =>
  async (_, init) => {
    const headers = Object.fromEntries(new Headers(init?.headers))
    signatures.push(headers.authorization?.slice(-64) ?? '')
    return answer(JSON.stringify({ message: `you sent ${JSON.stringify(headers)}`, headers }), {
      status,
      headers: { 'content-type': type, 'x-amzn-errortype': 'InvalidSignatureException' },
    })
  }

it.each([{ credentials: IDENTITY }, { credentials: async () => IDENTITY }, {}])(
  'services, clients and context do not show credentials, %#',
  async (options) => {
    const services = createServices({ services: ['ai'], ...options, fetch: echo(200) })
    expectNothingSecret(services)
    expectNothingSecret(services.ai)
    await services.ai.get('x').text()
    expectNothingSecret(services.ai.extend({}))

    const context = { awsRequestId: 'r' } as unknown as ServicesContext<'ai'>
    const { before } = signedServices({ services: ['ai'], ...options, fetch: echo(200) })
    await before?.({ context } as never)
    await context.services.ai.get('x').text()
    expectNothingSecret(context)
  },
)

it('requests, options and responses that hooks see do not show credentials', async () => {
  const seen: unknown[] = []
  const keep = (state: unknown) => {
    seen.push(state)
  }
  let count = 0
  const fetch: typeof globalThis.fetch = async () => {
    count += 1
    return count === 1 ? answer('{}', { status: 503 }) : answer('{}')
  }
  const { ai } = createServices({ services: ['ai'], fetch })
  await ai.get('x', {
    hooks: { init: [keep], beforeRequest: [keep], beforeRetry: [keep], afterResponse: [keep] },
    retry: { delay: () => 0, shouldRetry: (state) => void keep(state) },
  })
  expect(seen.length).toBeGreaterThan(5)
  for (const state of seen) {
    expectNothingSecret(state)
    const { request } = state as { request?: Request }
    if (request) expectNothingSecret([...request.headers])
  }
})

it.each([
  ['an answer', echo(403), (ai: Client) => ai.post('x', { json: {} }).json()],
  ['an answer in plain text', echo(500, 'text/plain'), (ai: Client) => ai.post('x', { json: {} }).json()],
  [
    'an answer that is not JSON',
    async (input: unknown, init?: RequestInit) => answer(`! ${await (await echo(200)(input as string, init)).text()}`),
    (ai: Client) => ai.get('x').json(),
  ],
  ['a broken connection', () => Promise.reject(new TypeError('fetch failed')), (ai: Client) => ai.post('x')],
  ['an aborted call', () => new Promise<Response>(() => {}), (ai: Client) => ai.get('x', { timeout: 5 })],
  ['a refused call', echo(200), (ai: Client) => ai.get('x', { headers: { authorization: 'AWS4-HMAC-SHA256 ...' } })],
  ['a call that leaves the base', echo(200), (ai: Client) => ai.get('../x')],
] as [string, typeof fetch, (ai: Client) => Promise<unknown>][])(
  'the error of %s does not show credentials',
  async (_, fetch, call) => {
    const error = await rejection(call(createServices({ services: ['ai'], fetch }).ai))
    expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_SERVICE_/) })
    expectNothingSecret(error)
  },
)

const token = IDENTITY.sessionToken as string
const carry = (init: ResponseInit) => () => answer('{}', init)

it.each([
  ['the path of a redirect', carry({ status: 302, headers: { location: `https://h.example/${token}?${token}` } })],
  [
    'the path of a redirect, encoded',
    carry({ status: 302, headers: { location: `https://h.example/${encodeURIComponent(token)}` } }),
  ],
  ['the error type', carry({ status: 403, headers: { 'x-amzn-errortype': token } })],
  ['the status text', carry({ status: 500, statusText: token })],
  ['the request id', carry({ status: 500, headers: { 'x-amzn-requestid': token } })],
  ['text that escapes slashes', () => answer(`got ${token.replaceAll('/', '\\/')}`, { status: 500 })],
  ['text longer than a message', () => answer(`${'x'.repeat(290)}${token}`, { status: 500 })],
  [
    'a transport error',
    () => Promise.reject(Object.assign(new Error(`cannot send ${token}`), { code: 'EODD', headers: { token } })),
  ],
  [
    'a cause of a transport error',
    () => Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { request: token }) })),
  ],
  ['what a transport throws', () => Promise.reject(`text ${token}`)],
  ['an object that a transport throws', () => Promise.reject({ token })],
] as [string, typeof fetch][])('what echoes a token in %s is redacted', async (_, fetch) => {
  const error = await rejection(createServices({ services: ['ai'], fetch, retry: 0 }).ai.post('x'))
  expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_SERVICE_/), attempts: 1 })
  for (const secret of [token, token.replaceAll('/', '\\/'), encodeURIComponent(token)])
    expect(show(error)).not.toContain(secret)
  expectNothingSecret((error as { headers?: Headers }).headers && [...(error as { headers: Headers }).headers])
})

it('an error of a hook that quotes a response is redacted, and keeps its name and code', async () => {
  const cause = Object.assign(new RangeError(`odd answer: ${token}`), { code: 'EODD' })
  const { ai } = createServices({ services: ['ai'], fetch: () => answer(token) })
  const error = await rejection(ai.get('x', { hooks: { afterResponse: [() => Promise.reject(cause)] } }))
  expect(error).toMatchObject({
    message: 'ai: GET /x: 200, then an error: odd answer: [redacted]',
    cause: { name: 'RangeError', code: 'EODD', message: 'odd answer: [redacted]' },
  })
  expectNothingSecret(error)
})

describe('redaction', () => {
  const secrets = new Set(['12345678', 'short'])
  const nest = (depth: number, wrap: (value: unknown) => unknown): unknown =>
    depth === 0 ? '12345678' : wrap(nest(depth - 1, wrap))

  it('does not change a text that is too short to be a secret', () => {
    expect(redactText('short 12345678', secrets)).toBe('short [redacted]')
  })

  it.each([
    ['lists', (value: unknown) => [value]],
    ['objects', (value: unknown) => ({ a: value })],
  ])('goes as deep as an answer may mean something, in %s', (_, wrap) => {
    const shown = (depth: number) => JSON.stringify(redactData(nest(depth, wrap), secrets))
    expect(shown(100)).toContain('"[redacted]"')
    expect(shown(102)).toContain('"[too deep]"')
    expect(shown(102)).not.toContain('[redacted]')
  })

  it('redacts members of plain objects of any realm, and of nothing else', () => {
    const plain = Object.assign(Object.create(null), { a: '12345678' })
    expect(redactData(plain, secrets)).toEqual({ a: '[redacted]' })
    const date = new Date(0)
    expect(redactData({ date }, secrets)).toEqual({ date })
  })

  it('copies headers only where they hold something', () => {
    const harmless = new Headers({ a: '1', b: '2' })
    expect(redactHeaders(harmless, secrets)).toBe(harmless)
    const echoing = new Headers({ a: '1', b: '12345678' })
    expect([...redactHeaders(echoing, secrets)]).toEqual([
      ['a', '1'],
      ['b', '[redacted]'],
    ])
  })

  it('finds a secret deep in a cause, and makes up neither name nor code', () => {
    const thrown = { a: { b: '12345678' }, name: 5, code: {}, cause: new Error('x 12345678') }
    const cause = redactCause(thrown, secrets) as Error
    expect([cause.message, cause.cause]).toEqual(['', new Error('x [redacted]')])
    expect(cause.name).toBe('Error')
    expect(cause).not.toHaveProperty('code')
  })
})

type Client = ReturnType<typeof createServices>['ai']

import { inspect } from 'node:util'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import {
  type CallRecord,
  createServices,
  createSignedFetch,
  type ServiceAuthError,
  type ServiceResponseError,
} from '../../../src/index.ts'
import { answer, rejection } from '../../support/helpers.ts'
import { startRawServer } from '../../support/raw-server.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const REGION = 'eu-central-1'
const IDENTITY = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: `IQoJb3JpZ2luX2Vj${'qZ8/+Yk3pLx/'.repeat(12)}EXAMPLE==`,
}
const { sessionToken: TOKEN } = IDENTITY
const SECRETS = Object.values(IDENTITY)

let lines: string[]
let records: CallRecord[]
beforeEach(() => {
  lines = []
  records = []
})
const log = (line: string, details: unknown) => void lines.push(line, JSON.stringify(details), inspect(details))
const createClient = (fetch: typeof globalThis.fetch | undefined, url = BASE) =>
  createServices({
    services: { ai: url },
    region: REGION,
    credentials: IDENTITY,
    fetch,
    retry: 0,
    logger: { info: log, warn: log, error: log },
    onCall: (record) => void records.push(record),
  }).ai

function show(error: unknown): string {
  const { headers, stack } = Object(error) as { headers?: Headers; stack?: string }
  return [
    inspect(error, { depth: 30, showHidden: true, maxStringLength: null }),
    JSON.stringify(error),
    JSON.stringify([...(headers ?? [])]),
    stack,
    ...lines,
    JSON.stringify(records),
  ].join('\n')
}

/** Ways in which a character may be written. */
const SPELLINGS: readonly ((character: string) => string)[] = [
  (character) => character,
  (character) => `%${hexOf(character)}`,
  (character) => `%${hexOf(character).toUpperCase()}`,
  (character) => `\\u00${hexOf(character)}`,
  (character) => `\\u00${hexOf(character).toUpperCase()}`,
  (character) => `\\x${hexOf(character)}`,
  (character) => `&#x${hexOf(character)};`,
  (character) => `&#${character.charCodeAt(0)};`,
  (character) => ({ '/': '&sol;', '+': '&plus;', '=': '&equals;' })[character] ?? character,
  (character) => ({ '/': '\\/' })[character] ?? character,
]

/** A JSON response, as a gateway gives it. */
function json(body: unknown, status: number, headers: Record<string, string> = {}): Promise<Response> {
  return answer(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
}

function hexOf(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(2, '0')
}

const base64 = (offset: number) => (text: string) => Buffer.from(`${'p'.repeat(offset)}${text}ss`).toString('base64')

/** Ways in which a whole text may be written. */
const ENCODINGS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  'beside an escape that is none': (text) => `&#x110000;${text.replaceAll('/', '%2f')}&#x110000;`,
  'a URL': encodeURIComponent,
  'a URL in lower case': (text) => encodeURIComponent(text).replace(/%../g, (escaped) => escaped.toLowerCase()),
  JSON: (text) => JSON.stringify(text),
  'JSON with escaped slashes': (text) => JSON.stringify(text).replaceAll('/', '\\/'),
  '\\u002f': (text) => text.replaceAll('/', '\\u002f').replaceAll('+', '\\u002B'),
  HTML: (text) => text.replaceAll('/', '&#x2F;').replaceAll('=', '&#61;'),
  'HTML names': (text) => text.replaceAll('/', '&sol;').replaceAll('=', '&equals;').replaceAll('+', '&plus;'),
  'base64, offset 0': base64(0),
  'base64, offset 1': base64(1),
  'base64, offset 2': base64(2),
  'base64url, offset 1': (text) => base64(1)(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''),
  'base64 in a URL': (text) => encodeURIComponent(base64(2)(text)),
  'a URL in a URL': (text) => encodeURIComponent(encodeURIComponent(text)),
  'JSON in JSON': (text) => JSON.stringify(JSON.stringify(text.replaceAll('/', '\\u002f'))),
  'base64 in JSON with escaped slashes': (text) => base64(0)(text).replaceAll('/', '\\/'),
}

/** No long run of a secret is left, in any of the spellings that a reader may undo. */
function expectNothingSecret(error: unknown, ...spelt: readonly string[]): void {
  const shown = show(error)
  for (const secret of SECRETS) {
    expect(shown).not.toContain(secret)
    expect(shown.includes(secret.slice(0, 18)), `the beginning of ${secret}`).toBe(false)
  }
  for (const text of spelt) expect(shown.includes(text)).toBe(false)
}

type Place = (text: string) => Promise<Response>

const PLACES: Readonly<Record<string, Place>> = {
  'a text': (text) => answer(`said ${text} so`, { status: 500 }),
  'a message': (text) => json({ message: `said ${text} so` }, 403),
  'a refusal': (text) =>
    json({ message: `User: ${text} is not authorized to perform: ${text} on resource: ${text}` }, 403, {
      'x-amzn-errortype': 'AccessDeniedException',
    }),
  'a key': (text) => json({ [text]: 1, deep: [{ [`x${text}`]: [text] }] }, 400),
  'a header': (text) => answer('{}', { status: 500, headers: { 'x-echo': text.replace(/[^\x20-\x7e]/g, '') } }),
  'a request id': (text) => answer('{}', { status: 500, headers: { 'x-amzn-requestid': text } }),
  'a request id of a success': (text) => answer('{}', { status: 200, headers: { 'apigw-requestid': text } }),
  'a location': (text) => answer('', { status: 302, headers: { location: `https://h.example/${text}?x` } }),
  'an error type': (text) => answer('{}', { status: 403, headers: { 'x-amzn-errortype': text } }),
  'a success that is no JSON': (text) => answer(`<html>${text}`, { status: 200 }),
  'a status text': (text) => answer('', { status: 500, statusText: text.replace(/[^\x20-\x7e]/g, '') }),
}

describe.each(Object.keys(PLACES))('a secret that is echoed in %s', (place) => {
  it.each(Object.keys(ENCODINGS))('is not shown, written as %s', async (encoding) => {
    for (const secret of SECRETS) {
      const spelt = (ENCODINGS[encoding] as (text: string) => string)(secret)
      const respond = () => (PLACES[place] as Place)(spelt)
      const outcome = await createClient(respond)
        .get('x')
        .json()
        .catch((error: unknown) => error)
      expectNothingSecret(outcome, spelt)
    }
  })
})

it('is not shown in any mixture of spellings, in any place', async () => {
  const spell = fc.tuple(
    fc.constantFrom(...SECRETS),
    fc.array(fc.nat(SPELLINGS.length - 1), { minLength: 1, maxLength: 40 }),
  )
  await fc.assert(
    fc.asyncProperty(spell, fc.constantFrom(...Object.keys(PLACES)), async ([secret, choices], place) => {
      lines = []
      records = []
      const spelt = [...secret]
        .map((character, index) => SPELLINGS[choices[index % choices.length] as number]?.(character))
        .join('')
      const outcome = await createClient(() => (PLACES[place] as Place)(spelt))
        .get('x')
        .json()
        .catch((error: unknown) => error)
      expectNothingSecret(outcome, spelt)
    }),
    { numRuns: 500 },
  )
})

describe('a token that a length limit cuts', () => {
  const refuse = (message: string) => () => json({ message }, 403, { 'x-amzn-errortype': 'AccessDeniedException' })

  it.each([250, 280, 290, 299, 300, 305])('at %d characters of a message is not shown', async (length) => {
    for (const spelt of [TOKEN, encodeURIComponent(TOKEN)]) {
      const error = await rejection(createClient(refuse(`${'x'.repeat(length)} ${spelt}`)).get('x'))
      expectNothingSecret(error, spelt.slice(0, 18))
    }
  })

  it('at the end of 64 KB is not shown, in any spelling', async () => {
    for (const [name, encode] of Object.entries(ENCODINGS)) {
      const spelt = encode(TOKEN)
      for (const shift of [1, 10, 20, 100, spelt.length - 1]) {
        const text = `${'x'.repeat(65_536 - shift - 1)} ${spelt}${' y'.repeat(10_000)}`
        for (const status of [500, 200]) {
          const error = (await rejection(
            createClient(() => answer(text, { status }))
              .get('x')
              .json(),
          )) as ServiceResponseError
          expect(error.data, `${name}, ${shift}, ${status}`).toMatch(/\[cut after 65536 bytes\]$|^\[redacted\]$/)
          expect(show(error).includes(spelt.slice(0, 12)), `${name}, ${shift}`).toBe(false)
        }
      }
    }
  })

  it('at the end of a part of a hint is not shown', async () => {
    const canonical = (query: string) =>
      `... not match ...\n\nThe Canonical String for this request should have been\n'GET\n/prod/x\n${query}\nhost:h\n\nhost\nabc'\n\nThe String-to-Sign should have been\n'AWS4'\n`
    for (let length = 150; length < 201; length += 10) {
      const message = canonical(`${'q'.repeat(length)}=${TOKEN}`)
      const error = (await rejection(
        createClient(() => json({ message }, 403, { 'x-amzn-errortype': 'InvalidSignatureException' })).get('x'),
      )) as ServiceAuthError
      expect(error.hint).toContain('query: sent')
      expectNothingSecret(error, TOKEN.slice(0, 12))
    }
  })
})

it.each([
  ['a message', (text: string) => ({ message: text })],
  ['a principal', (text: string) => ({ message: `User: ${text} is not authorized to perform: x on resource: y` })],
  ['a resource', (text: string) => ({ message: `User: u is not authorized to perform: x on resource: ${text}` })],
  [
    'many parts of a canonical request',
    (text: string) => ({
      message: `x The Canonical String for this request should have been\n'${text}\n${text}\n${text}\n${text}:1\n${text}:2\n\n${text}\n${text}'\n\nThe String-to-Sign`,
    }),
  ],
])('a hint has a bounded length, and no line break of its own, with a long %s', async (_, body) => {
  const fetch = () => json(body('y\u001b\u0085'.repeat(3000)), 403, { 'x-amzn-errortype': 'AccessDeniedException' })
  const error = (await rejection(createClient(fetch).get('x'))) as ServiceAuthError
  expect(error.hint.length).toBeLessThan(5000)
  expect(error.message.length).toBeLessThan(6000)
  for (const control of ['\u001b', '\u0085']) expect(error.message).not.toContain(control)
})

describe('what a transport fails with', () => {
  const hide = (error: Error) => Object.defineProperty(error, 'hidden', { value: { raw: TOKEN }, enumerable: false })
  const deep = (depth: number): Error =>
    depth === 0
      ? Object.assign(new Error(`x ${TOKEN}`), { code: TOKEN, raw: Buffer.from(TOKEN) })
      : new Error('outer', { cause: deep(depth - 1) })
  const ERRORS: Readonly<Record<string, unknown>> = {
    'the token deep inside': deep(4),
    'the token too deep': deep(40),
    'an aggregate': new AggregateError([new Error(TOKEN), deep(2), TOKEN], TOKEN),
    'a TypeError with a cause': new TypeError('fetch failed', { cause: deep(1) }),
    'a hidden member': hide(new Error('x')),
    'a symbol': Symbol(TOKEN),
    'a symbol member': Object.assign(new Error('x'), { [Symbol('raw')]: TOKEN }),
    'a text': TOKEN,
    'a function': Object.assign(() => TOKEN, { message: TOKEN }),
    'a Map': new Map([[TOKEN, TOKEN]]),
    'a name': Object.assign(new Error('x'), { name: TOKEN }),
    'the access key as code': Object.assign(new Error('x'), { code: IDENTITY.accessKeyId }),
    'its own request': Object.assign(new Error('x'), { request: { headers: { 'x-amz-security-token': TOKEN } } }),
    'a stack': Object.assign(new Error('x'), { stack: `Error: x\n  at ${TOKEN}` }),
    'a syscall': Object.assign(new Error('x'), { syscall: TOKEN, code: 'ECONNRESET' }),
    'the token in itself': (() => {
      const error = new Error(TOKEN)
      error.cause = error
      return error
    })(),
  }

  it.each(Object.keys(ERRORS))('shows nothing of %s', async (name) => {
    const fail = () => Promise.reject(ERRORS[name])
    const error = await rejection(createClient(fail).get('x'))
    expect(error).toMatchObject({ code: 'ERR_SERVICE_NETWORK', attempts: 1 })
    expectNothingSecret(error)
    expectNothingSecret(await rejection(createClient(fail).fetch('x')))
    const signed = createSignedFetch({ credentials: IDENTITY, region: REGION, service: 'execute-api', fetch: fail })
    expectNothingSecret(await rejection(signed(`${BASE}/x`)))
    const body = () => answer(new ReadableStream({ pull: (controller) => controller.error(ERRORS[name]) }))
    expectNothingSecret(await rejection(createClient(body).get('x').text()))
    const hooks = { afterResponse: [fail] }
    expectNothingSecret(await rejection(createClient(() => answer()).get('x', { hooks })))
  })

  it('shows nothing of the raw response that an HTTP parser could not read', async () => {
    const echo = `HTTP/1.1 200 OK\r\nx-echo: ${TOKEN}\r\nbroken header ${TOKEN}\r\n\r\n`
    const server = await startRawServer((socket) => void socket.write(echo))
    onTestFinished(server.close)
    const error = await rejection(createClient(undefined, server.url).get('x'))
    expect(error).toMatchObject({ code: 'ERR_SERVICE_NETWORK', networkCode: expect.stringMatching(/^HPE_/) })
    expectNothingSecret(error)
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('rawPacket')
    const signed = createSignedFetch({ credentials: IDENTITY, region: REGION, service: 'execute-api' })
    const failure = await rejection(signed(`${server.url}/x`))
    expectNothingSecret(failure)
    expect(inspect(failure, { depth: 20, showHidden: true })).not.toContain('rawPacket')
  })

  it('shows only the message of an error that a provider throws', async () => {
    const cause = Object.assign(new Error('no\nFORGED'), { response: { body: TOKEN }, code: 'EX' })
    const { ai } = createServices({ services: { ai: BASE }, credentials: () => Promise.reject(cause), retry: 0 })
    const error = await rejection(ai.get('x'))
    expect(error).toMatchObject({
      message: 'ai: GET /x: no credentials: no FORGED',
      cause: { message: 'no\nFORGED', code: 'EX' },
    })
    expectNothingSecret(error)
  })
})

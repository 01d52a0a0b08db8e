import { describe, expect, it } from 'vitest'
import {
  checkCaller,
  checkCertificate,
  checkClock,
  checkConnection,
  checkCredentials,
  checkDns,
  checkHealth,
  checkKind,
  checkVariable,
} from '../../../src/cli/checks.ts'
import type { SentRequest } from '../../../src/cli/signed-call.ts'
import type { ServiceConfig } from '../../../src/config/index.ts'
import { ServiceAuthError, ServiceRequestError, ServiceThrottledError } from '../../../src/errors/index.ts'
import { IDENTITY } from '../../support/helpers.ts'

const NOW = Date.UTC(2026, 0, 10)
const DAY = 86_400_000
const good = <T>(value: T) => ({ ok: true, value, durationMs: 12.4 }) as const
const bad = (error: unknown) => ({ ok: false, error, durationMs: 12.4 }) as const
const coded = (code: string, message: string) => Object.assign(new Error(message), { code })
const call = { service: 'ai', method: 'GET', path: '/health', attempts: 1 }

it('the variable', () => {
  expect(checkVariable('AI_SERVICE_API_URL', [], 'https://x')).toEqual({
    name: 'variable',
    status: 'ok',
    detail: 'AI_SERVICE_API_URL = https://x',
  })
  expect(checkVariable('ai', ['A: not a URL', 'B: not a URL'])).toMatchObject({
    status: 'fail',
    detail: 'A: not a URL\nB: not a URL',
    advice: 'Correct the variable: it must be the base URL of the service, with its stage.',
  })
  expect(checkVariable('ai', ['A: not a URL', 'AWS_REGION: must be a region'])).toMatchObject({
    advice:
      'Correct the variable: it must be the base URL of the service, with its stage.\nSet --region or AWS_REGION.',
  })
})

it.each([
  [{ signingName: 'execute-api' }, 'API Gateway (execute-api) in eu-west-1'],
  [{ signingName: 'lambda', host: 'x.example' }, 'Lambda function URL (lambda) in eu-west-1, signed for x.example'],
  [{ signingName: 'appsync' }, 'AppSync (appsync) in eu-west-1'],
  [{ signingName: 'vpc-lattice-svcs' }, 'VPC Lattice (vpc-lattice-svcs) in eu-west-1'],
  [{ signingName: 's3' }, 'S3 (s3) in eu-west-1'],
  [{ signingName: 'valueOf' }, 'valueOf in eu-west-1'],
])('the kind %j', (config, detail) => {
  const service = { region: 'eu-west-1', host: undefined, ...config } as ServiceConfig
  expect(checkKind(service)).toEqual({ name: 'kind', status: 'ok', detail })
})

it('DNS', () => {
  expect(checkDns(good(['10.0.0.1', '::1']))).toEqual({ name: 'dns', status: 'ok', detail: '10.0.0.1, ::1 (12 ms)' })
  expect(checkDns(bad(coded('ENOTFOUND', 'getaddrinfo ENOTFOUND x')))).toMatchObject({
    status: 'fail',
    detail: 'ENOTFOUND: getaddrinfo ENOTFOUND x (12 ms)',
    advice: expect.stringContaining('DNS'),
  })
})

it('the connection', () => {
  const tls = { protocol: 'TLSv1.3', certificateEnd: new Date(NOW) }
  expect(checkConnection(good(tls))).toMatchObject({ status: 'ok', detail: 'TLSv1.3 (12 ms)' })
  const plain = { protocol: null, certificateEnd: undefined }
  expect(checkConnection(good(plain))).toMatchObject({ status: 'ok', detail: 'plain http (12 ms)' })
  const refused = new AggregateError([
    coded('ECONNREFUSED', 'connect ECONNREFUSED ::1:1'),
    coded('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'),
  ])
  expect(checkConnection(bad(refused))).toMatchObject({
    status: 'fail',
    detail: 'ECONNREFUSED: connect ECONNREFUSED ::1:1, connect ECONNREFUSED 127.0.0.1:1 (12 ms)',
  })
  expect(checkConnection(bad(Symbol('odd')))).toMatchObject({ detail: 'UNKNOWN: Symbol(odd) (12 ms)' })
})

it.each([
  [60 * DAY, 'ok', '60 days left, until 2026-03-11', undefined],
  [14 * DAY + 1, 'ok', '14 days left, until 2026-01-24', undefined],
  [14 * DAY, 'warn', '14 days left, until 2026-01-24', expect.stringMatching(/^Renew it\./)],
  [13.5 * DAY, 'warn', '13 days left, until 2026-01-23', expect.stringMatching(/^Renew it\./)],
])('a certificate with %i ms left', (left, status, detail, advice) => {
  const made = good({ protocol: 'TLSv1.3', certificateEnd: new Date(NOW + left) })
  expect(checkCertificate(made, NOW)).toEqual({ name: 'certificate', status, detail, advice })
})

it('no certificate', () => {
  expect(checkCertificate(good({ protocol: null, certificateEnd: undefined }), NOW)).toBeUndefined()
  expect(checkCertificate(bad(new Error('none')), NOW)).toBeUndefined()
})

describe('the clock', () => {
  const attempt = (ahead: number, headers: Record<string, string> = {}): SentRequest => ({
    method: 'GET',
    url: 'https://x',
    canonicalRequest: undefined,
    tried: [],
    response: new Response(null, { headers: { date: new Date(NOW).toUTCString(), ...headers } }),
    durationMs: 1_000,
    endedAt: NOW + 1_000 + ahead,
  })

  it.each([
    [0, 'ok', 'same as the gateway'],
    [1_000, 'ok', 'same as the gateway'],
    [2_000, 'ok', '2 s ahead of the gateway'],
    [-5_000, 'ok', '5 s behind the gateway'],
    [59_999, 'ok', '60 s ahead of the gateway'],
    [60_000, 'warn', '60 s ahead of the gateway'],
    [-60_000, 'warn', '60 s behind the gateway'],
    [90_000, 'warn', '90 s ahead of the gateway'],
    [239_999, 'warn', '240 s ahead of the gateway'],
    [240_000, 'fail', '240 s ahead of the gateway'],
    [-600_000, 'fail', '600 s behind the gateway'],
  ])('%i ms ahead', (ahead, status, detail) => {
    const advice = status === 'ok' ? undefined : expect.stringMatching(/^Synchronise this machine's clock/)
    expect(checkClock(attempt(ahead))).toEqual({ name: 'clock', status, detail, advice })
  })

  it('is not known', () => {
    expect(checkClock(attempt(0, { age: '3' }))).toBeUndefined()
    expect(checkClock(attempt(0, { date: 'yesterday' }))).toBeUndefined()
    expect(checkClock({ ...attempt(0), response: undefined })).toBeUndefined()
  })
})

describe('credentials', () => {
  const minutes = (count: number) => new Date(NOW + count * 60_000)

  it.each([
    [IDENTITY, undefined, 'ok', 'access key ...MPLE, from a file, unknown expiration'],
    [IDENTITY, minutes(30), 'ok', 'access key ...MPLE, from a file, 30 minutes left'],
    [IDENTITY, minutes(5), 'ok', 'access key ...MPLE, from a file, 5 minutes left'],
    [IDENTITY, minutes(4), 'warn', 'access key ...MPLE, from a file, 4 minutes left'],
    [IDENTITY, minutes(0), 'fail', 'access key ...MPLE, from a file, expired 0 minutes ago'],
    [IDENTITY, minutes(-7), 'fail', 'access key ...MPLE, from a file, expired 7 minutes ago'],
    [
      { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
      undefined,
      'ok',
      'access key ...MPLE, from a file, no session token, so they do not expire',
    ],
  ])('%#', (identity, expiration, status, detail) => {
    const advice = status === 'ok' ? undefined : expect.stringMatching(/^Sign in again/)
    expect(checkCredentials('a file', good(identity), expiration, NOW)).toEqual({
      name: 'credentials',
      status,
      detail,
      advice,
    })
  })

  it('that are missing', () => {
    expect(checkCredentials('the chain', bad(new Error('none found')), undefined, NOW)).toMatchObject({
      status: 'fail',
      detail: 'none from the chain: none found',
      advice: expect.stringContaining('--profile'),
    })
  })
})

it('the caller', () => {
  const caller = { arn: 'arn:aws:iam::123456789012:user/me', account: '123456789012' }
  expect(checkCaller(good(caller))).toMatchObject({ status: 'ok', detail: `${caller.arn} (account 123456789012)` })
  expect(checkCaller(bad(new Error('STS returned 403: InvalidClientTokenId')))).toMatchObject({
    status: 'fail',
    detail: 'STS returned 403: InvalidClientTokenId',
    advice: expect.stringContaining('Sign in again'),
  })
  const failed = new TypeError('fetch failed', { cause: coded('ENOTFOUND', 'getaddrinfo ENOTFOUND sts') })
  expect(checkCaller(bad(failed))).toMatchObject({
    detail: 'getaddrinfo ENOTFOUND sts',
    advice: expect.stringContaining('DNS'),
  })
  expect(checkCaller(bad(coded('ECONNRESET', 'the connection was lost before STS returned a status')))).toMatchObject({
    advice: expect.stringContaining('The connection ended early'),
  })
})

it('health', () => {
  expect(checkHealth('/health', good(new Response()))).toEqual({
    name: 'health',
    status: 'ok',
    detail: 'GET /health: 200 (12 ms)',
  })
  const details = {
    status: 403,
    data: undefined,
    headers: new Headers(),
    reason: 'forbidden',
    hint: 'the hint',
  } as const
  const denied = new ServiceAuthError(call, '403 Forbidden: no\nthe hint', details)
  const { advice, ...result } = checkHealth('/health', bad(denied))
  expect(result).toEqual({ name: 'health', status: 'fail', detail: 'GET /health: 403 Forbidden: no (12 ms)' })
  expect(advice).toMatch(/^the hint\nFirst check /)
  const throttled = new ServiceThrottledError(call, '429 Too Many Requests: slow down\nthe hint', {
    ...details,
    status: 429,
    retryAfterMs: undefined,
    quota: false,
  })
  expect(checkHealth('/health', bad(throttled)).advice).toBe('the hint')
  expect(checkHealth('/health', bad(new ServiceRequestError(call, 'not sent')))).toEqual({
    name: 'health',
    status: 'fail',
    detail: 'GET /health: not sent (12 ms)',
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toVariable } from '../../../src/config/index.ts'
import { FAULT_NAMES } from '../../../src/testing/faults.ts'
import { type Fault, fail, type LocalGateway, startLocalGateway } from '../../../src/testing/index.ts'
import { IDENTITY } from '../../support/helpers.ts'
import { type Outcome, run } from './command.ts'

/** What the command prints for each fault: what happened, and what to do. */
const PRINTED: Readonly<Record<string, readonly [problem: RegExp, advice: RegExp]>> = {
  'missing-token': [/403 MissingAuthenticationTokenException/, /deploy the stage/],
  'incomplete-signature': [/403 IncompleteSignatureException/, /Something on the way changed the Authorization header/],
  'signature-mismatch': [/403 InvalidSignatureException/, /all from the same source/],
  'signature-expired': [/Signature expired/, /Synchronise this machine's clock/],
  'signature-not-yet-current': [/Signature not yet current/, /Synchronise this machine's clock/],
  'invalid-token': [/403 UnrecognizedClientException/, /AWS_SESSION_TOKEN may belong to other keys/],
  'expired-token': [/403 ExpiredTokenException/, /aws sso login/],
  'access-denied': [/403 AccessDeniedException/, /"Effect":"Allow"/],
  'access-denied-explicit': [/403 AccessDeniedException/, /explicit deny/],
  forbidden: [/403 ForbiddenException/, /execute-api:Invoke/],
  throttled: [/429 TooManyRequestsException/, /rate limit/],
  quota: [/429 LimitExceededException/, /Raise the quota/],
  'integration-timeout': [/504 InternalServerErrorException/, /29 seconds/],
  'bad-gateway': [/502 InternalServerErrorException/, /malformed/],
  'internal-error': [/500 InternalServerErrorException/, /check its log/],
  'too-large': [/413/, /S3/],
  'http-api-forbidden': [/403 Forbidden/, /execute-api:Invoke permission/],
  'http-api-not-found': [/404 Not Found/, /check method and path/],
  'reset-before-read': [/ECONNRESET|EPIPE/, /ended early/],
  'reset-after-read': [/ECONNRESET/, /ended early/],
  'half-answer': [/incomplete response: ECONNRESET/, /ended early/],
  hang: [/no complete response within \d+ ms/, /Raise --timeout/],
  'hang-in-body': [/no complete response within \d+ ms/, /Raise --timeout/],
  timeout: [/no complete response within \d+ ms/, /Raise --timeout/],
  network: [/ECONNRESET/, /ended early/],
  status: [/418/, /check the response body/],
  'fail-timeout': [/no complete response within \d+ ms/, /Raise --timeout/],
  'fail-network': [/ECONNRESET/, /ended early/],
}

const OTHERS: Readonly<Record<string, Fault>> = {
  status: { status: 418, body: { message: 'teapot' } },
  'fail-timeout': fail('timeout'),
  'fail-network': fail('network'),
}

const faults = Object.keys(PRINTED)

/** Faults that end with the timeout. */
const SILENT: readonly string[] = ['hang', 'hang-in-body', 'timeout', 'fail-timeout']

/** A service for each fault, named as its variable says. */
const nameOf = (fault: string) => fault.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

let gateway: LocalGateway

beforeAll(async () => {
  const names = ['healthy', 'late', ...faults.map(nameOf)]
  gateway = await startLocalGateway({
    credentials: IDENTITY,
    services: Object.fromEntries(names.map((name) => [name, { 'GET /health': { status: 'healthy' } }])),
  })
  gateway.fail('late *', { delay: 50 })
  for (const fault of faults) gateway.fail(`${nameOf(fault)} *`, OTHERS[fault] ?? (fault as Fault))
})

afterAll(() => gateway.close())

it('every fault has an expected message', () => expect(faults).toEqual(expect.arrayContaining([...FAULT_NAMES])))

const expectNothingSecret = ({ stdout, stderr }: Outcome) => {
  for (const secret of [IDENTITY.secretAccessKey, IDENTITY.sessionToken as string]) {
    expect(stdout + stderr).not.toContain(secret)
  }
  // No stack trace.
  expect(stderr).not.toMatch(/^ {4}at /m)
}

describe('call', () => {
  it.concurrent.each(faults)('%s', { timeout: 30_000 }, async (fault) => {
    const [problem, advice] = PRINTED[fault] as readonly [RegExp, RegExp]
    const timeout = SILENT.includes(fault) ? '900' : '20000'
    const args = ['call', nameOf(fault), 'health', '--retry', '0', '--timeout', timeout, '-iv']
    const outcome = await run(args, { env: gateway.env })
    expect(outcome).toMatchObject({ code: 1, signal: null })
    expect(outcome.stderr).toMatch(problem)
    expect(outcome.stderr).toMatch(advice)
    expectNothingSecret(outcome)
  })

  it('of a late service waits', async () => {
    const outcome = await run(['call', 'late', 'health'], { env: gateway.env })
    expect(outcome).toMatchObject({ code: 0, stdout: '{"status":"healthy"}', stderr: '' })
  })
})

it('doctor finds every fault', { timeout: 30_000 }, async () => {
  const outcome = await run(['doctor', '--json', '--timeout', '4000'], { env: gateway.env })
  expect(outcome.code).toBe(1)
  expectNothingSecret(outcome)
  const { ok, services } = JSON.parse(outcome.stdout) as {
    ok: boolean
    services: {
      name: string
      ok: boolean
      checks: { name: string; status: string; detail: string; advice?: string }[]
    }[]
  }
  expect(ok).toBe(false)
  expect(services.map(({ name }) => toVariable(name)).toSorted()).toEqual(
    Object.keys(gateway.env)
      .filter((name) => name.endsWith('_SERVICE_API_URL'))
      .toSorted(),
  )
  expect(services.filter((service) => service.ok).map(({ name }) => name)).toEqual(['healthy', 'late'])
  for (const fault of faults) {
    const { checks = [] } = services.find(({ name }) => name === nameOf(fault)) ?? {}
    const { detail, advice } = checks.find(({ status }) => status === 'fail') ?? {}
    expect(detail, fault).toMatch((PRINTED[fault] as readonly [RegExp, RegExp])[0])
    expect(advice, fault).toMatch((PRINTED[fault] as readonly [RegExp, RegExp])[1])
  }
})

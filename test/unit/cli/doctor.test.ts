import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Report } from '../../../src/cli/report.ts'
import { fail, type LocalGateway, reply, startLocalGateway } from '../../../src/testing/index.ts'
import { IDENTITY, setEnv } from '../../support/helpers.ts'
import { runHere, type Surroundings } from './context.ts'

const useGateway = async (now?: () => number): Promise<LocalGateway> => {
  const gateway = await startLocalGateway({
    credentials: IDENTITY,
    ...(now && { now }),
    services: {
      ai: { 'GET /health': { status: 'healthy' }, 'GET /up': 'yes', 'GET /text': reply(418, 'a\u001b[31mteapot') },
      userProfile: { 'GET /health': {}, 'GET /slow': fail('timeout') },
    },
  })
  onTestFinished(gateway.close)
  return gateway
}

const doctor = async (env: NodeJS.ProcessEnv, args: readonly string[] = [], more: Surroundings = {}) => {
  const outcome = await runHere(['doctor', '--json', ...args], { ...more, env: { ...env } })
  const report: Report = outcome.stdout === '' ? { ok: false, account: [], services: [] } : JSON.parse(outcome.stdout)
  const lines = [{ name: '', checks: report.account }, ...report.services].flatMap(({ name, checks }) =>
    checks.map((check) => [name, check.name, check.status].join(' ').trim()),
  )
  const find = (name: string) =>
    [...report.account, ...report.services.flatMap(({ checks }) => checks)].find((check) => check.name === name)
  return { ...outcome, report, lines, find }
}

const CHECKS = ['variable', 'kind', 'dns', 'connection', 'health', 'clock']

describe('doctor', () => {
  it('checks every service of the environment', async () => {
    const gateway = await useGateway()
    const { code, lines, report } = await doctor(gateway.env)
    expect(lines).toEqual([
      'credentials ok',
      ...CHECKS.map((name) => `ai ${name} ok`),
      ...CHECKS.map((name) => `userProfile ${name} ok`),
    ])
    expect([code, report.ok]).toEqual([0, true])
    expect(gateway.requests.map(({ path, signature }) => [path, signature.verified])).toEqual([
      ['/health', true],
      ['/health', true],
    ])
  })

  it('checks the named services, or a URL', async () => {
    const gateway = await useGateway()
    const { code, report } = await doctor(gateway.env, ['ai', `${gateway.env.AI_SERVICE_API_URL}`, '--path', 'up'])
    expect(code).toBe(0)
    expect(report.services.map(({ name, url }) => [name, url])).toEqual([
      ['ai', gateway.env.AI_SERVICE_API_URL],
      [gateway.env.AI_SERVICE_API_URL, gateway.env.AI_SERVICE_API_URL],
    ])
    expect(report.services[1]?.checks[0]?.detail).toBe(`given = ${gateway.env.AI_SERVICE_API_URL}`)
  })

  it('prints a table', async () => {
    const gateway = await useGateway()
    const { code, stdout, stderr } = await runHere(['doctor', 'ai'], { env: { ...gateway.env } })
    expect(code).toBe(0)
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^account\n {2}ok {4}credentials .*\n\nai\n {2}ok {4}variable /)
    expect(stdout).toMatch(/\nAll checks passed\.\n$/)
  })

  it('prints colours and progress on a terminal', async () => {
    const gateway = await useGateway()
    const { stdout, stderr } = await runHere(['doctor', 'ai'], { env: { ...gateway.env }, isTerminal: true })
    expect(stdout).toContain('\u001b[32mok')
    expect(stderr).toMatch(/checked 0 of 1, waiting for ai\r/)
  })

  it('says so of a variable that is not set', async () => {
    const gateway = await useGateway()
    const { code, lines, find } = await doctor(gateway.env, ['admin'])
    expect([code, lines]).toEqual([1, ['credentials ok', 'admin variable fail']])
    expect(find('variable')).toMatchObject({
      detail: 'ADMIN_SERVICE_API_URL: API Gateway URL not set',
      advice: expect.stringContaining('ADMIN_SERVICE_API_URL=https://'),
    })
    const none = await doctor({})
    expect(none.find('variable')?.detail).toBe('<NAME>_SERVICE_API_URL: API Gateway URL not set')
    expect(none.code).toBe(1)
  })

  it('reports a bad URL as wrong usage', async () => {
    const { code, stderr } = await doctor({}, ['x.example.com'])
    expect([code, stderr]).toEqual([2, 'the URL: https:// is missing\nSee middy-signed-services --help\n'])
  })

  it('stops where no connection can be made', async () => {
    const gateway = await useGateway()
    await gateway.close()
    const { code, lines, find } = await doctor(gateway.env, ['ai'])
    expect(code).toBe(1)
    expect(lines.slice(-2)).toEqual(['ai dns ok', 'ai connection fail'])
    expect(find('connection')).toMatchObject({
      detail: expect.stringMatching(/^ECONNREFUSED: /),
      advice: expect.stringContaining('Nothing listens'),
    })
  })

  it('stops where no address can be found', async () => {
    const gateway = await useGateway()
    const { lines, find } = await doctor(gateway.env, ['https://nowhere.invalid'])
    expect(lines.at(-1)).toBe('https://nowhere.invalid dns fail')
    expect(find('dns')?.advice).toContain('DNS')
  })

  it('sees a slow service', async () => {
    const gateway = await useGateway()
    const { code, find } = await doctor(gateway.env, ['userProfile', '--path', '/slow', '--timeout', '150'])
    expect(code).toBe(1)
    expect(find('health')).toMatchObject({ detail: expect.stringContaining('no complete response within 150 ms') })
    expect(find('clock')).toBeUndefined()
  })

  it('sees a wrong clock, which the client corrects', async () => {
    const gateway = await useGateway(() => Date.now() + 900_000)
    const { code, find } = await doctor(gateway.env, ['ai'])
    expect(code).toBe(1)
    expect(find('health')?.status).toBe('ok')
    expect(find('clock')).toMatchObject({ status: 'fail', detail: expect.stringMatching(/^\d+ s behind the gateway$/) })
  })

  it("removes control characters from a service's messages", async () => {
    const gateway = await useGateway()
    const { find } = await doctor(gateway.env, ['ai', '--path', '/text'])
    expect(find('health')?.detail).toMatch(/^GET \/text: 418 .*: a \[31mteapot \(\d+ ms\)$/)
  })

  it('reads variables and credentials of a file', async () => {
    const gateway = await useGateway()
    const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-doctor-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, '.env')
    writeFileSync(
      file,
      Object.entries(gateway.env)
        .map((pair) => pair.join('='))
        .join('\n'),
    )
    expect((await doctor({}, ['--env-file', file])).code).toBe(0)
    expect((await doctor({}, ['--env-file', folder])).code).toBe(2)
  })
})

describe('credentials', () => {
  it.each([
    [new Date(Date.now() + 3_600_000).toISOString(), 'ok', /59 minutes left/],
    [new Date(Date.now() - 3_600_000).toISOString(), 'fail', /expired 60 minutes ago/],
    ['soon', 'ok', /unknown expiration/],
  ])('that end %s', async (AWS_CREDENTIAL_EXPIRATION, status, detail) => {
    const gateway = await useGateway()
    const { find } = await doctor({ ...gateway.env, AWS_CREDENTIAL_EXPIRATION }, ['ai'])
    expect(find('credentials')).toMatchObject({ status, detail: expect.stringMatching(detail) })
  })

  it('that a profile gives', async () => {
    const gateway = await useGateway()
    const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-doctor-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const Expiration = new Date(Date.now() + 1_830_000).toISOString()
    const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken } = IDENTITY
    const answer = { Version: 1, AccessKeyId, SecretAccessKey, SessionToken, Expiration }
    writeFileSync(join(folder, 'answer.json'), JSON.stringify(answer))
    writeFileSync(join(folder, 'config'), `[profile dev]\ncredential_process = cat ${join(folder, 'answer.json')}\n`)
    setEnv({ AWS_CONFIG_FILE: join(folder, 'config'), AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none') })
    const { code, find } = await doctor({ ...gateway.env, AWS_ACCESS_KEY_ID: undefined }, ['ai', '--profile', 'dev'])
    expect(find('credentials')?.detail).toBe('access key ...MPLE, from profile dev, 30 minutes left')
    expect(code).toBe(0)
  })

  it('that are missing', async () => {
    const gateway = await useGateway()
    const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-doctor-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    setEnv({
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
      AWS_CONFIG_FILE: join(folder, 'none'),
      AWS_EC2_METADATA_DISABLED: 'true',
    })
    const { code, lines, find } = await doctor(gateway.env, ['ai', '--profile', 'nobody', '--whoami'])
    expect(code).toBe(1)
    expect(lines).toContain('credentials fail')
    expect(find('credentials')?.detail).toMatch(/^none from profile nobody: /)
    expect(find('caller')).toBeUndefined()
    expect(find('health')).toMatchObject({
      detail: expect.stringContaining('no credentials: '),
      advice: expect.stringContaining('--profile'),
    })
  })
})

describe('the caller', () => {
  const startSts = async (): Promise<string> => {
    const answer = '<Arn>arn:aws:iam::1:user/me</Arn><Account>1</Account>'
    const server = createServer((_request, response) => response.end(answer))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it('is asked for', async () => {
    const gateway = await useGateway()
    const env = { ...gateway.env, AWS_ENDPOINT_URL_STS: await startSts() }
    const { code, find } = await doctor(env, ['ai', '--whoami'])
    expect(code).toBe(0)
    expect(find('caller')).toMatchObject({ status: 'ok', detail: 'arn:aws:iam::1:user/me (account 1)' })
    const { find: findHere } = await doctor(env, ['--whoami', '--region', 'us-east-1', 'admin'])
    expect(findHere('caller')?.status).toBe('ok')
  })

  it('cannot be asked for without a region', async () => {
    const { AWS_REGION, AI_SERVICE_API_URL, USER_PROFILE_SERVICE_API_URL, ...keys } = (await useGateway()).env
    const { code, find } = await doctor(keys, ['--whoami'])
    expect([AWS_REGION, code]).toEqual(['us-east-1', 1])
    expect(find('caller')).toMatchObject({ status: 'fail', detail: 'no region for the request to STS' })
  })
})

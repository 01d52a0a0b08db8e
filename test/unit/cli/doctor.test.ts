import dns from 'node:dns/promises'
import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import tls from 'node:tls'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Report } from '../../../src/cli/report.ts'
import { fail, type LocalGateway, reply, startLocalGateway } from '../../../src/testing/index.ts'
import { IDENTITY, listen, setEnv, useFolder } from '../../support/helpers.ts'
import { TLS_CERTIFICATE, TLS_KEY } from '../../support/tls-certificate.ts'
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
    expect(stderr.split('\r\u001b[K')).toEqual([
      '',
      'checked 0 of 1, waiting for ai',
      'checked 1 of 1, waiting for ',
      '',
    ])
  })

  it('says so of a variable that is not set', async () => {
    const gateway = await useGateway()
    const { code, lines, find, report } = await doctor(gateway.env, ['admin'])
    expect([code, lines]).toEqual([1, ['credentials ok', 'admin variable fail']])
    expect(report).toMatchObject({ ok: false, services: [{ name: 'admin', ok: false }] })
    expect(find('variable')).toMatchObject({
      detail: 'ADMIN_SERVICE_API_URL: API Gateway URL not set',
      advice: expect.stringContaining('ADMIN_SERVICE_API_URL=https://'),
    })
    const none = await doctor({})
    expect(none.lines.at(-1)).toBe('<name> variable fail')
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
    const { code, lines, find, report } = await doctor(gateway.env, ['ai'])
    expect(code).toBe(1)
    expect(report).toMatchObject({ ok: false, services: [{ name: 'ai', ok: false }] })
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

  it('makes no second attempt, which could succeed', async () => {
    const gateway = await useGateway()
    gateway.fail('ai *', { fault: 'bad-gateway', times: 1 })
    const { code, find } = await doctor(gateway.env, ['ai'])
    expect([code, find('health')?.status, gateway.requests.length]).toEqual([1, 'fail', 1])
  })

  it('gives the hint and the next step for a rejection, one below the other', async () => {
    const gateway = await useGateway()
    gateway.fail('ai *', 'access-denied')
    const { find } = await doctor(gateway.env, ['ai'])
    expect(find('health')?.advice).toMatch(/^.+\nA policy change takes up to a minute to apply\./)
  })

  it('checks the certificate of a host', async () => {
    const server = createTlsServer({ key: TLS_KEY, cert: TLS_CERTIFICATE }, (_request, response) => response.end())
    const url = `https://localhost:${await listen(server)}`
    const real = tls.connect as (options: tls.ConnectionOptions) => tls.TLSSocket
    const spy = vi.spyOn(tls, 'connect') as unknown as { mockImplementation: (mock: typeof real) => void }
    spy.mockImplementation((options) => real({ ...options, ca: TLS_CERTIFICATE }))
    onTestFinished(() => void vi.restoreAllMocks())
    const { AWS_REGION: _, ...env } = (await useGateway()).env
    const { find } = await doctor(env, [url, '--region', 'eu-west-1', '--signing-name', 'execute-api'])
    expect(find('certificate')).toMatchObject({ status: 'ok', detail: expect.stringMatching(/^\d+ days left, until /) })
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

  it("removes the signature of a service's request from the message of another service", async () => {
    const signature = Promise.withResolvers<string | undefined>()
    const gateway = await startLocalGateway({
      credentials: IDENTITY,
      services: {
        ai: {
          'GET /health': ({ headers }) => {
            signature.resolve(/Signature=(.*)/.exec(headers.authorization ?? '')?.[1])
            return {}
          },
        },
        userProfile: { 'GET /health': async () => reply(418, `ai sent ${await signature.promise}`) },
      },
    })
    onTestFinished(gateway.close)
    const { report } = await doctor(gateway.env)
    const health = report.services[1]?.checks.find(({ name }) => name === 'health')
    expect(health?.detail).toContain(': ai sent [redacted] (')
  })

  it('reads variables and credentials of a file', async () => {
    const gateway = await useGateway()
    const folder = useFolder()
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
  // The titles contain no time: each run has the same tests.
  it.each([
    ['in almost an hour', 3_590_000, 'ok', /59 minutes left/],
    ['an hour ago', -3_600_000, 'fail', /expired 60 minutes ago/],
    ['at an unknown time', Number.NaN, 'ok', /unknown expiration/],
  ])('that end %s', async (_, left, status, detail) => {
    const gateway = await useGateway()
    const AWS_CREDENTIAL_EXPIRATION = Number.isNaN(left) ? 'soon' : new Date(Date.now() + left).toISOString()
    const { find } = await doctor({ ...gateway.env, AWS_CREDENTIAL_EXPIRATION }, ['ai'])
    expect(find('credentials')).toMatchObject({ status, detail: expect.stringMatching(detail) })
  })

  it('of a profile do not end with those of the environment', async () => {
    const gateway = await useGateway()
    const folder = useFolder()
    const file = join(folder, 'credentials')
    writeFileSync(file, '[dev]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = secret-of-profile\n')
    setEnv({ AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: join(folder, 'none') })
    const AWS_CREDENTIAL_EXPIRATION = new Date(Date.now() - 3_600_000).toISOString()
    const { find } = await doctor({ ...gateway.env, AWS_CREDENTIAL_EXPIRATION }, ['admin', '--profile', 'dev'])
    expect(find('credentials')).toMatchObject({
      status: 'ok',
      detail: 'access key ...FILE, from profile dev, no session token, so they do not expire',
    })
  })

  it('that a profile gives', async () => {
    const gateway = await useGateway()
    const folder = useFolder()
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
    const folder = useFolder()
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
  const CALLER = '<Arn>arn:aws:iam::1:user/me</Arn><Account>1</Account>'

  const startSts = async (listener: RequestListener = (_request, response) => response.end(CALLER)): Promise<string> =>
    `http://127.0.0.1:${await listen(createServer(listener))}`

  it('is asked for', async () => {
    const gateway = await useGateway()
    const env = { ...gateway.env, AWS_ENDPOINT_URL_STS: await startSts() }
    const { code, find } = await doctor(env, ['ai', '--whoami'])
    expect(code).toBe(0)
    expect(find('caller')).toMatchObject({ status: 'ok', detail: 'arn:aws:iam::1:user/me (account 1)' })
    const { find: findHere } = await doctor(env, ['--whoami', '--region', 'us-east-1', 'admin'])
    expect(findHere('caller')?.status).toBe('ok')
  })

  it.each([
    ['--region', ['ai', '--whoami', '--region', 'eu-central-1'], 'eu-central-1'],
    ['the first service', ['admin', 'https://abc.execute-api.eu-west-1.amazonaws.com', '--whoami'], 'eu-west-1'],
    ['AWS_REGION', ['admin', '--whoami'], 'us-east-1'],
  ])('is asked for in the region of %s', async (_, args, region) => {
    vi.spyOn(dns, 'lookup').mockRejectedValue(new Error('no network in this test'))
    syncBuiltinESMExports()
    onTestFinished(() => {
      vi.restoreAllMocks()
      syncBuiltinESMExports()
    })
    const scopes: (string | undefined)[] = []
    const AWS_ENDPOINT_URL_STS = await startSts(({ headers }, response) => {
      scopes.push(/\/\d{8}\/(.*)\/aws4_request/.exec(headers.authorization ?? '')?.[1])
      response.end(CALLER)
    })
    await doctor({ ...(await useGateway()).env, AWS_ENDPOINT_URL_STS }, args)
    expect(scopes).toEqual([`${region}/sts`])
  })

  it('is not waited for any longer than the timeout', async () => {
    const closed = Promise.withResolvers<void>()
    const AWS_ENDPOINT_URL_STS = await startSts(({ socket }) => void socket.once('close', () => closed.resolve()))
    const env = { ...(await useGateway()).env, AWS_ENDPOINT_URL_STS }
    const { find } = await doctor(env, ['admin', '--whoami', '--timeout', '50'])
    expect(find('caller')).toMatchObject({ status: 'fail', detail: 'no result within 50 ms' })
    await closed.promise
  })

  it('is reported without the secrets that STS echoes', async () => {
    const { accessKeyId, secretAccessKey, sessionToken } = IDENTITY
    const AWS_ENDPOINT_URL_STS = await startSts((_request, response) => {
      const message = `${accessKeyId}, ${secretAccessKey}, ${sessionToken}`
      response.writeHead(403).end(`<Error><Code>InvalidClientTokenId</Code><Message>${message}</Message></Error>`)
    })
    const { find } = await doctor({ ...(await useGateway()).env, AWS_ENDPOINT_URL_STS }, ['admin', '--whoami'])
    expect(find('caller')?.detail).toBe('STS returned 403: InvalidClientTokenId: [redacted], [redacted], [redacted]')
  })

  it('cannot be asked for without a region', async () => {
    const { AWS_REGION, AI_SERVICE_API_URL, USER_PROFILE_SERVICE_API_URL, ...keys } = (await useGateway()).env
    const { code, find } = await doctor(keys, ['--whoami'])
    expect([AWS_REGION, code]).toEqual(['us-east-1', 1])
    expect(find('caller')).toEqual({
      name: 'caller',
      status: 'fail',
      detail: 'no region for the request to STS',
      advice: 'Set --region or AWS_REGION.',
    })
  })
})

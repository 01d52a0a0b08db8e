import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { createServer } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { PerformanceObserver } from 'node:perf_hooks'
import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { run } from '../../../src/cli/run.ts'
import { type LocalGateway, reply, startLocalGateway } from '../../../src/testing/index.ts'
import { IDENTITY, useFolder } from '../../support/helpers.ts'
import { runHere, type Surroundings } from './context.ts'

const BINARY = Uint8Array.from({ length: 1_000 }, (_, index) => index % 256)

const useGateway = async (now?: () => number): Promise<LocalGateway> => {
  const gateway = await startLocalGateway({
    credentials: IDENTITY,
    ...(now && { now }),
    services: {
      ai: {
        'GET /jobs/:id': ({ params, searchParams }) => ({ ...params, ...searchParams }),
        'POST /echo': ({ body, headers }) =>
          reply(200, Buffer.from(body), { 'content-type': headers['content-type'] ?? 'none' }),
        'GET /binary': reply(200, BINARY, { 'content-type': 'application/octet-stream' }),
        'GET /missing': reply(404, { message: 'no such job' }),
        'GET /image': reply(500, BINARY, { 'content-type': 'image/png' }),
        'GET /empty': reply(503),
        'GET /unchanged': reply(304),
        'GET /huge': () => reply(500, Buffer.alloc(16_777_217)),
        'GET /nothing': undefined,
        'HEAD /jobs/:id': {},
        'GET /tells': ({ headers }) => ({ headers }),
      },
    },
  })
  onTestFinished(gateway.close)
  return gateway
}

const call = (gateway: LocalGateway, args: readonly string[], more: Surroundings = {}) =>
  runHere(['call', ...args], { ...more, env: { ...gateway.env, ...more.env } })

describe('call', () => {
  it('sends a signed request, and gives its body', async () => {
    const gateway = await useGateway()
    expect(await call(gateway, ['ai', 'jobs/7', '-q', 'a=b c&', '-q', 'ü=+'])).toMatchObject({
      code: 0,
      stdout: '{"id":"7","a":"b c&","ü":"+"}',
      stderr: '',
    })
    expect(gateway.requests.map(({ signature }) => signature.verified)).toEqual([true])
    expect(gateway.requests[0]?.headers).not.toHaveProperty('content-type')
  })

  it('reads variables of a file', async () => {
    const gateway = await useGateway()
    const folder = useFolder()
    const file = join(folder, '.env')
    writeFileSync(file, `OWN_SERVICE_API_URL=${gateway.env.AI_SERVICE_API_URL}\n`)
    expect(await call(gateway, ['own', 'jobs/7', '--env-file', file])).toMatchObject({ code: 0, stdout: '{"id":"7"}' })
  })

  it('sends to a URL, with the queries of URL, path and options', async () => {
    const gateway = await useGateway()
    const url = `${gateway.env.AI_SERVICE_API_URL}`
    expect((await call(gateway, [`${url}/jobs/7?a=1`])).stdout).toBe('{"id":"7","a":"1"}')
    const { stdout } = await call(gateway, [`${url}?a=1`, 'GET', '/jobs/7?b=2#c', '-q', 'd=3'])
    expect(stdout).toBe('{"id":"7","a":"1","b":"2","d":"3"}')
  })

  it.each([
    ['{"a":1}', [], 'application/json'],
    ['a=1', [], 'application/octet-stream'],
    ['a=1', ['-H', 'Content-Type: application/x-www-form-urlencoded'], 'application/x-www-form-urlencoded'],
  ])('sends the body %s with %j as %s', async (data, options, type) => {
    const gateway = await useGateway()
    const { code, stdout } = await call(gateway, ['ai', 'echo', '-d', data, ...options])
    expect([code, stdout, gateway.requests[0]?.headers['content-type']]).toEqual([0, data, type])
  })

  it('sends standard input, byte for byte', async () => {
    const gateway = await useGateway()
    const { bytes } = await call(gateway, ['ai', 'echo', '-d', '-'], {
      stdin: [BINARY.slice(0, 300), BINARY.slice(300)],
    })
    expect([...bytes]).toEqual([...BINARY])
  })

  it('writes a binary body unchanged, on a terminal too', async () => {
    const gateway = await useGateway()
    for (const isTerminal of [true, false]) {
      const { bytes } = await call(gateway, ['ai', 'binary'], { isTerminal })
      expect(createHash('sha1').update(bytes).digest('hex')).toBe(createHash('sha1').update(BINARY).digest('hex'))
    }
  })

  it('indents JSON on a terminal, a failed one too', async () => {
    const gateway = await useGateway()
    expect((await call(gateway, ['ai', 'jobs/7'], { isTerminal: true })).stdout).toBe('{\n  "id": "7"\n}\n')
    const { stdout } = await call(gateway, ['ai', 'missing'], { isTerminal: true })
    expect(stdout).toBe('{\n  "message": "no such job"\n}\n')
  })

  it('writes the body to a file unchanged', async () => {
    const gateway = await useGateway()
    const folder = useFolder()
    const file = join(folder, 'body')
    const outcome = await call(gateway, ['ai', 'jobs/7', '-o', file], { isTerminal: true })
    expect([outcome.code, outcome.stdout, readFileSync(file, 'utf8')]).toEqual([0, '', '{"id":"7"}'])
    expect(await call(gateway, ['ai', 'jobs/7', '-o', folder])).toMatchObject({ code: 2 })
    expect(gateway.requests).toHaveLength(1)
  })

  it.each(['jobs/7', 'missing'])('closes the file, and watches connections no longer, after %s', async (path) => {
    const gateway = await useGateway()
    const folder = useFolder()
    const open = vi.spyOn(fs, 'open')
    syncBuiltinESMExports()
    const disconnect = vi.spyOn(PerformanceObserver.prototype, 'disconnect')
    onTestFinished(() => {
      vi.restoreAllMocks()
      syncBuiltinESMExports()
    })
    await call(gateway, ['ai', path, '-v', '-o', join(folder, 'body')])
    expect(open).toHaveBeenCalledTimes(1)
    // A closed file has this descriptor.
    expect(await open.mock.results[0]?.value).toHaveProperty('fd', -1)
    expect(disconnect).toHaveBeenCalledTimes(1)
  })

  it('has no body to give', async () => {
    const gateway = await useGateway()
    expect(await call(gateway, ['ai', 'nothing'])).toMatchObject({ code: 0, stdout: '', stderr: '' })
    const { code, stdout, stderr } = await call(gateway, ['ai', 'HEAD', 'jobs/7', '-i'])
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toContain('HTTP/1.1 200 OK\n')
  })

  it('shows the head', async () => {
    const gateway = await useGateway()
    const { stderr } = await call(gateway, ['ai', 'missing', '-i'])
    expect(stderr).toMatch(
      /^HTTP\/1\.1 404 Not Found\n(.+\n)*content-type: application\/json\n(.+\n)*\nai: GET \/missing/,
    )
  })

  it('says what failed, and what to do', async () => {
    const gateway = await useGateway()
    const { code, stdout, stderr } = await call(gateway, ['ai', 'missing'])
    expect([code, stdout]).toEqual([1, '{"message":"no such job"}'])
    expect(stderr).toMatch(
      /^ai: GET \/missing: 404 Not Found: no such job\nThe service returned this status.*\nRequest id: [\da-f-]{36}\n$/,
    )
  })

  it('writes the body of a failure unchanged', async () => {
    const gateway = await useGateway()
    const { code, bytes } = await call(gateway, ['ai', 'image', '--retry', '0'])
    expect([code, [...bytes]]).toEqual([1, [...BINARY]])
    expect(await call(gateway, ['ai', 'empty', '--retry', '0'])).toMatchObject({ code: 1, stdout: '' })
    const unchanged = await call(gateway, ['ai', 'unchanged'])
    expect(unchanged).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^ai: GET \/unchanged: 304 /),
    })
  })

  it('does not write the body of a failure that is too large to be read', async () => {
    const gateway = await useGateway()
    const { code, stdout, stderr } = await call(gateway, ['ai', 'huge', '--retry', '0'])
    expect([code, stdout.length]).toEqual([1, 0])
    expect(stderr).toMatch(/^ai: GET \/huge: 500, but the response body exceeds maxResponseSize \(16777216 bytes\)\n/)
  })

  it('does not write the body of an earlier attempt', async () => {
    const gateway = await useGateway()
    // The later fault comes first.
    gateway.fail('ai *', { fault: 'reset-after-read', times: 1 })
    gateway.fail('ai *', { fault: 'throttled', times: 1 })
    const { code, stdout, stderr } = await call(gateway, ['ai', 'jobs/7', '--retry', '1'])
    expect([code, stdout, gateway.requests.length]).toEqual([1, '', 2])
    expect(stderr).toMatch(/^ai: GET \/jobs\/7: no response: ECONNRESET/)
  })

  it('says nothing beyond the message where there is no advice', async () => {
    const gateway = await useGateway()
    const { stderr } = await call(gateway, ['ai', 'jobs/7', '-H', 'authorization: own'])
    expect(stderr).toBe("ai: GET /jobs/7: the header 'authorization' must not be set: signing sets it\n")
  })

  it('retries as often as --retry says', async () => {
    const gateway = await useGateway()
    gateway.fail('ai *', { fault: 'throttled', times: 3 })
    expect(await call(gateway, ['ai', 'jobs/7', '--retry', '3'])).toMatchObject({ code: 0, stdout: '{"id":"7"}' })
    expect(gateway.requests.map(({ status }) => status)).toEqual([429, 429, 429, 200])
  }, 30_000)

  it('shows how it signed, without secrets', async () => {
    const gateway = await useGateway()
    const { stderr } = await call(gateway, ['ai', 'jobs/7', '-v'])
    const { signature } = gateway.requests[0] as (typeof gateway.requests)[0]
    if (!signature.verified) throw new Error('refused')
    const indented = (text: string) =>
      text
        .split('\n')
        .map((line) => `  ${line}`.trimEnd())
        .join('\n')
    const canonical = signature.canonicalRequest.replace(IDENTITY.sessionToken as string, '[redacted]')
    expect(stderr).toContain(`* canonical request:\n${indented(canonical)}\n`)
    expect(stderr).toContain(`* string to sign:\n${indented(signature.stringToSign)}\n`)
    expect(stderr).toMatch(
      /^\* attempt 1: GET http:\/\/127\.0\.0\.1:\d+\/ai\/jobs\/7\n\* signed for execute-api in us-east-1\n/,
    )
    expect(stderr).toMatch(
      /\n\* connected to 127\.0\.0\.1:\d+, [\d.]+ ms\n\* 200 OK, [\d.]+ ms\n\* [\d.]+ ms in total\n$/,
    )
    expect(stderr).not.toContain(IDENTITY.sessionToken)
  })

  it('shows the time of the whole call', async () => {
    const gateway = await useGateway()
    const startedAt = performance.now()
    const { stderr } = await call(gateway, ['ai', 'jobs/7', '-v'])
    const [, total] = /\* ([\d.]+) ms in total\n$/.exec(stderr) ?? []
    // Rounded to tenths.
    expect(Number(total)).toBeLessThanOrEqual(performance.now() - startedAt + 0.1)
  })

  it('shows each attempt, DNS, and connections that are used again', async () => {
    const gateway = await useGateway()
    gateway.fail('ai *', { fault: 'throttled', times: 1 })
    const url = `${gateway.env.AI_SERVICE_API_URL}/jobs/7`.replace('127.0.0.1', 'localhost')
    const { stderr } = await call(gateway, [url, '-v', '--host', 'own.example.com'])
    expect(stderr).toContain('* signed for execute-api in us-east-1, host own.example.com\n')
    expect(stderr).toMatch(/\* DNS lookup of localhost: .*127\.0\.0\.1.*, [\d.]+ ms\n/)
    expect(stderr).toContain('\n* attempt 2: ')
    expect(stderr).toContain('* reused connection\n')
  })

  it('shows a corrected clock', async () => {
    const gateway = await useGateway(() => Date.now() + 600_000)
    const { code, stderr } = await call(gateway, ['ai', 'jobs/7', '-v'])
    expect(code).toBe(0)
    expect(stderr).toContain('* rejected, then signed again with: corrected clock\n')
  })

  it('shows a request that could not be sent', async () => {
    const gateway = await useGateway()
    const { code, stderr } = await call(gateway, ['ai', 'jobs/7', '-v', '-H', 'authorization: own'])
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /\* no response, .*\nai: GET \/jobs\/7: the header 'authorization' must not be set: signing sets it\n/,
    )
    expect(stderr).not.toContain('canonical request')
  })

  it('removes secrets that a service echoes', async () => {
    const gateway = await useGateway()
    const { stdout } = await call(gateway, ['ai', 'tells'])
    expect(stdout).toContain('"x-amz-security-token":"[redacted]"')
    expect(stdout).toContain('Signature=[redacted]')
    gateway.fail('ai *', 'signature-mismatch')
    const refused = await call(gateway, ['ai', 'jobs/7', '-iv'])
    expect(refused.stdout).toContain('x-amz-security-token:[redacted]')
    for (const secret of [IDENTITY.sessionToken, IDENTITY.secretAccessKey]) {
      expect(refused.stdout + refused.stderr).not.toContain(secret)
    }
  })

  it.each([
    ['ai', { AI_SERVICE_API_URL: undefined }, /AI_SERVICE_API_URL: API Gateway URL not set\nSet it in /],
    ['ai', { AWS_REGION: 'mars' }, /AWS_REGION: must be a region/],
  ])('%s with %j', async (name, env, message) => {
    const gateway = await useGateway()
    const { code, stdout, stderr } = await call(gateway, [name], { env })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(message)
  })

  it('refuses more of standard input than a gateway takes', async () => {
    const gateway = await useGateway()
    const { code, stderr } = await call(gateway, ['ai', 'echo', '-d', '-'], { stdin: [Buffer.alloc(10_485_761)] })
    expect([code, stderr]).toEqual([1, '-d: standard input exceeds the 10485760 bytes that API Gateway accepts\n'])
    expect(gateway.requests).toEqual([])
  })

  it('sends more than that to another kind of service', async () => {
    let size = 0
    const server = createServer(async (request, response) => {
      for await (const chunk of request) size += chunk.length
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } = IDENTITY
    const options = ['--signing-name', 's3', '--region', 'eu-west-1', '-d', '-']
    const { code, stderr } = await runHere(['call', url, 'PUT', 'key', ...options], {
      stdin: [Buffer.alloc(10_485_761)],
      env: { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY },
    })
    expect([code, stderr, size]).toEqual([0, '', 10_485_761])
  })

  it.each(['jobs/7', 'missing', 'binary'])('ends quietly if its output is closed: %s', async (path) => {
    const gateway = await useGateway()
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    })
    stdout.on('error', () => {})
    const stderr = new PassThrough()
    const context = { env: { ...gateway.env }, stdin: new PassThrough(), stdout, stderr, now: Date.now }
    expect(await run(['call', 'ai', path], context)).toBe(path === 'missing' ? 1 : 0)
    expect(String(stderr.read() ?? '')).not.toContain('EPIPE')
  })

  it.each([
    ['jobs/7', 1],
    ['missing', 1],
  ])('says so where standard output fails: %s', async (path, expected) => {
    const gateway = await useGateway()
    const stdout = new Writable({ write: (_chunk, _encoding, done) => done(new Error('no space left')) })
    stdout.on('error', () => {})
    const stderr = new PassThrough()
    const context = { env: { ...gateway.env }, stdin: new PassThrough(), stdout, stderr, now: Date.now }
    expect(await run(['call', 'ai', path], context)).toBe(expected)
    expect(String(stderr.read())).toContain('no space left\n')
  })
})

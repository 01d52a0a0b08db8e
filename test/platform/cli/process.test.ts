import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type LocalGateway, reply, startLocalGateway } from '../../../src/testing/index.ts'
import { IDENTITY } from '../../support/helpers.ts'
import { startTlsService } from '../connections/tls-service.ts'
import { bareEnv, collect, MAIN, run, start } from './command.ts'

const LARGE = Buffer.from(Uint8Array.from({ length: 5_000_000 }, (_, index) => (index * 31) % 251))

let gateway: LocalGateway

beforeAll(async () => {
  gateway = await startLocalGateway({
    credentials: IDENTITY,
    services: {
      ai: {
        'GET /health': { status: 'healthy' },
        'GET /large': reply(200, LARGE, { 'content-type': 'application/octet-stream' }),
        'POST /echo': ({ body }) => reply(201, Buffer.from(body), { 'content-type': 'application/octet-stream' }),
      },
      admin: { 'GET /health': reply(503, { message: 'closed' }) },
    },
  })
})

afterAll(() => gateway.close())

const env = (more: NodeJS.ProcessEnv = {}) => ({ env: { ...gateway.env, ...more } })

/** A service whose response a test chooses, and that verifies nothing. */
const startService = async (answer: (response: ServerResponse) => void): Promise<string> => {
  const server = createServer((_request, response) => answer(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('exit codes', () => {
  it.each([
    [['--help'], 0],
    [['--version'], 0],
    [['call', 'ai', 'health'], 0],
    [['call', 'admin', 'health', '--retry', '0'], 1],
    [['call', 'nobody'], 1],
    [['call', 'ai', '--tiemout', '1'], 2],
    [[], 2],
    [['doctor', 'ai'], 0],
    [['doctor'], 1],
    [['doctor', '--joson'], 2],
  ])('%j: %i', async (args, code) => {
    const outcome = await run(args, env())
    expect(outcome).toMatchObject({ code, signal: null })
    expect(outcome.stderr).not.toMatch(/^ {4}at /m)
  })
})

describe('bodies', () => {
  it('go out of standard input and come back, byte for byte', async () => {
    const { code, bytes } = await run(['call', 'ai', 'echo', '-d', '-'], env(), LARGE)
    expect([code, bytes.equals(LARGE)]).toEqual([0, true])
  })

  it('wait for a slow reader', async () => {
    const child = start(['call', 'ai', 'large'], env())
    child.stdout.pause()
    setTimeout(() => child.stdout.resume(), 1_000)
    const { code, bytes } = await collect(child)
    expect([code, bytes.equals(LARGE)]).toEqual([0, true])
  })

  it('come as they are sent', async () => {
    let response: ServerResponse | undefined
    const url = await startService((given) => {
      response = given.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
    })
    const child = start(['call', `${url}/events`, '--timeout', '0'], env())
    const ended = once(child, 'close')
    expect(String((await once(child.stdout, 'data'))[0])).toBe('data: 1\n\n')
    response?.write('data: 2\n\n')
    expect(String((await once(child.stdout, 'data'))[0])).toBe('data: 2\n\n')
    response?.end()
    expect(await ended).toEqual([0, null])
  })
})

describe('a terminal', () => {
  it('gets JSON indented', async () => {
    const { stdout } = await run(['call', 'ai', 'health'], { ...env(), isTerminal: true })
    expect(stdout).toBe('{\n  "status": "healthy"\n}\n')
  })

  it.each([
    [{}, true],
    [{ NO_COLOR: '1' }, false],
  ])('with %j gets colours: %s', async (more, expected) => {
    const { stdout } = await run(['doctor', 'ai'], { ...env(more), isTerminal: true })
    expect(stdout.includes('\u001b[32mok')).toBe(expected)
  })

  it('is needed for colours and progress', async () => {
    const { stdout, stderr } = await run(['doctor', 'ai'], env())
    expect(stdout).not.toContain('\u001b')
    expect(stderr).toBe('')
  })
})

describe('a closed pipe', () => {
  it('ends a body that does not end', async () => {
    const url = await startService((response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' })
      const more = () => {
        while (response.write(LARGE.subarray(0, 65_536)));
        response.once('drain', more)
      }
      more()
    })
    const child = start(['call', url, '--timeout', '0'], env())
    child.stdout.once('data', () => child.stdout.destroy())
    const { code, signal, stderr } = await collect(child)
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' })
  })

  it.each(['call ai large', 'doctor', '--help'])('%s | head', async (args) => {
    const command = `"${process.execPath}" "${MAIN}" ${args} | head -c 1`
    const child = spawn('sh', ['-c', command], { env: { ...bareEnv(), ...gateway.env } })
    const { code, stdout, stderr } = await collect(child)
    expect([code, stdout.length, stderr]).toEqual([0, 1, ''])
  })

  it('may be that of standard error', async () => {
    const child = start(['call', 'admin', 'health', '--retry', '0', '-iv'], env())
    child.stderr.destroy()
    expect(await collect(child)).toMatchObject({ code: 1, signal: null, stdout: '{"message":"closed"}' })
  })
})

describe('TLS', () => {
  const keys = { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'some-secret-key' }

  it('is checked with its certificate', async () => {
    const service = await startTlsService()
    onTestFinished(service.close)
    const { code, stdout } = await run(['doctor', service.url], {
      env: { ...keys, NODE_EXTRA_CA_CERTS: service.certificate },
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /\n {2}ok {4}connection {3}TLSv1\.3 \(\d+ ms\)\n {2}ok {4}certificate {2}\d+ days left, until 2120-01-01\n/,
    )
  })

  it.each(['call', 'doctor'])('that is not trusted is named by %s', async (command) => {
    const service = await startTlsService()
    onTestFinished(service.close)
    const { code, stdout, stderr } = await run([command, service.url], { env: keys })
    expect(code).toBe(1)
    expect(stdout + stderr).toMatch(/DEPTH_ZERO_SELF_SIGNED_CERT[\s\S]*not trusted for this host name/)
  })
})

describe('Ctrl-C', () => {
  it.each([[['call', '--timeout', '0']], [['doctor', '--timeout', '0']]])('ends %j at once', async (args) => {
    let arrived = () => {}
    const request = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const url = await startService(() => arrived())
    const child = start([...args, url], env())
    const outcome = collect(child)
    await request
    const startedAt = performance.now()
    child.kill('SIGINT')
    const { code, signal, stdout, stderr } = await outcome
    expect({ code, signal, stdout, stderr }).toEqual({ code: 130, signal: null, stdout: '', stderr: '' })
    // Nothing else would end it.
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })

  it('ends a command that waits for standard input', async () => {
    const child = start(['call', 'ai', 'echo', '-d', '-'], env())
    const outcome = collect(child)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    child.kill('SIGINT')
    expect(await outcome).toMatchObject({ code: 130, stderr: '' })
  })
})

import { createServer, type RequestListener } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  createServices,
  createSignedFetch,
  ServicesConfigurationError,
  type SignedServicesOptions,
} from '../../src/index.ts'
import { type ReceivedRequest, verifySignature } from '../../src/testing/index.ts'
import { IDENTITY, listen, rejection, resolveHosts, setEnv } from '../support/helpers.ts'
import { createTlsServer, TLS_HOST, trustCertificate } from '../support/tls.ts'

interface Seen extends ReceivedRequest {
  readonly host: string | undefined
  readonly serverName: string | false | null | undefined
}

/** Responds, and records what it received. */
function recordTo(seen: Seen[]): RequestListener {
  return async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method = '', url: target = '', rawHeaders, headers, socket } = request
    const serverName = (socket as TLSSocket).servername
    seen.push({ method, target, rawHeaders, body: Buffer.concat(chunks), host: headers.host, serverName })
    response.end('{"ok":true}')
  }
}

const verdict = (request: ReceivedRequest | undefined) =>
  verifySignature(request as ReceivedRequest, { credentials: [IDENTITY], region: 'eu-central-1' })

/** A tunnel's end on loopback. */
async function startTunnel() {
  trustCertificate()
  const seen: Seen[] = []
  const port = await listen(createTlsServer(recordTo(seen)))
  return { port, seen }
}

describe('the option host', () => {
  const create = (url: string, host: string, options: SignedServicesOptions = {}) =>
    createServices({ credentials: IDENTITY, retry: 0, ...options, services: { ai: { url, host } } }).ai

  it.each([TLS_HOST, TLS_HOST.toUpperCase(), `${TLS_HOST}.`])(
    '%s is signed, sent, and asked for by TLS',
    async (host) => {
      setEnv({ AWS_REGION: 'us-west-2' })
      const { port, seen } = await startTunnel()
      const ai = create(`https://localhost:${port}/prod`, host)
      resolveHosts({ localhost: ['127.0.0.1'] })
      expect(await ai.post('jobs?a=1', { json: { n: 1 } }).json()).toEqual({ ok: true })
      expect((await ai.fetch('jobs')).status).toBe(200)
      expect(seen).toMatchObject([
        { method: 'POST', target: '/prod/jobs?a=1', host: TLS_HOST, serverName: TLS_HOST },
        { method: 'GET', target: '/prod/jobs', host: TLS_HOST, serverName: TLS_HOST },
      ])
      for (const request of seen) expect(verdict(request)).toMatchObject({ verified: true })
    },
  )

  it('with a port is sent with it, and named without it', async () => {
    setEnv({ AWS_REGION: 'us-west-2' })
    const { port, seen } = await startTunnel()
    resolveHosts({ localhost: ['127.0.0.1'] })
    await create(`https://localhost:${port}`, `${TLS_HOST}:8443`).get('x')
    expect(seen).toMatchObject([{ host: `${TLS_HOST}:8443`, serverName: TLS_HOST }])
    expect(verdict(seen[0])).toMatchObject({ verified: true })
  })

  it('is not taken for another one that the certificate is not for', async () => {
    const { port, seen } = await startTunnel()
    const error = await rejection(
      create(`https://127.0.0.1:${port}`, 'b.execute-api.eu-central-1.amazonaws.com').get('x'),
    )
    expect(error).toMatchObject({ code: 'ERR_SERVICE_NETWORK', networkCode: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    expect(seen).toEqual([])
  })

  it('goes over plain http as well', async () => {
    const seen: Seen[] = []
    const port = await listen(createServer(recordTo(seen)))
    await create(`http://127.0.0.1:${port}/prod`, TLS_HOST).get('x')
    expect(seen).toMatchObject([{ host: TLS_HOST }])
    expect(verdict(seen[0])).toMatchObject({ verified: true })
  })

  it('decides what is signed, even if it contradicts other options', () => {
    const host = 'abc123.appsync-api.eu-west-1.amazonaws.com'
    expect(() =>
      createServices({ services: { ai: { url: 'https://localhost:8443', host, region: 'eu-central-1' } } }),
    ).toThrow("the host's region is 'eu-west-1', but the option says 'eu-central-1'")
    expect(() =>
      createServices({ services: { ai: { url: 'https://localhost:8443', host: 'x.sqs.eu-west-1.amazonaws.com' } } }),
    ).toThrow('an AWS host of an unknown service')
  })

  it('is a configuration error with a fetch, which cannot send it', () => {
    const options = { url: 'https://localhost:8443', host: TLS_HOST }
    expect(() =>
      createServices({ services: { ai: options, admin: 'https://admin.example.com' }, region: 'eu-central-1', fetch }),
    ).toThrow(
      new ServicesConfigurationError([
        'services.ai.host: cannot be combined with the option fetch, which cannot send another Host header',
      ]),
    )
  })

  it('is an error of the call where global fetch has been replaced, or must send', async () => {
    const { port, seen } = await startTunnel()
    const ai = create(`https://127.0.0.1:${port}`, TLS_HOST)
    vi.stubGlobal('fetch', async () => new Response('{}'))
    onTestFinished(() => void vi.unstubAllGlobals())
    expect(await rejection(ai.get('x'))).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      attempts: 0,
      message:
        'ai: GET /x: the option host requires the HTTP client of Node.js, but this request would be sent by a fetch',
    })
    vi.unstubAllGlobals()
    await ai.get('x')
    expect(seen).toHaveLength(1)
  })
})

it('an IP address is no TLS server name, which Node.js would warn of', async () => {
  const { port, seen } = await startTunnel()
  const warn = vi.fn()
  process.on('warning', warn)
  onTestFinished(() => void process.off('warning', warn))
  const signed = createSignedFetch({ credentials: IDENTITY, region: 'eu-central-1', service: 'execute-api' })
  expect(await (await signed(`https://127.0.0.1:${port}/x`)).json()).toEqual({ ok: true })
  expect(seen).toMatchObject([{ host: `127.0.0.1:${port}`, serverName: false }])
  await new Promise(setImmediate)
  expect(warn).not.toHaveBeenCalled()
})

describe('plain http', () => {
  const hosts = ['localstack', 'host.docker.internal', 'ai.compose'] as const

  it.each([...hosts, '192.0.2.7'])('to %s is refused at cold start, with the way around', (host) => {
    expect(() => createServices({ services: { ai: `http://${host}:3000` }, region: 'eu-central-1' })).toThrow(
      'services.ai.url: must start with https:// (http:// only for loopback hosts, or with the option allowHttp)',
    )
  })

  it.each(hosts)('to %s is signed and sent with allowHttp, for all services or for one', async (host) => {
    const seen: Seen[] = []
    const port = await listen(createServer(recordTo(seen)))
    resolveHosts({ [host]: ['127.0.0.1'] })
    const url = `http://${host}:${port}/prod`
    const common = { region: 'eu-central-1', credentials: IDENTITY }
    const calls = [
      createServices({ ...common, services: { ai: url }, allowHttp: true }),
      createServices({ ...common, services: { ai: { url, allowHttp: true } } }),
    ].map(({ ai }) => ai.get('jobs').json())
    expect(await Promise.all(calls)).toEqual([{ ok: true }, { ok: true }])
    expect(seen).toMatchObject([{ host: `${host}:${port}` }, { host: `${host}:${port}` }])
    for (const request of seen) expect(verdict(request)).toMatchObject({ verified: true })
  })

  it('stays refused for a service that says so itself', () => {
    expect(() =>
      createServices({
        services: { ai: { url: 'http://localstack', allowHttp: false } },
        region: 'eu-central-1',
        allowHttp: true,
      }),
    ).toThrow('services.ai.url: must start with https://')
  })
})

describe('AWS_REGION', () => {
  const sign = async () => {
    let authorization = ''
    const fetch: typeof globalThis.fetch = async (_, init) => {
      authorization = new Headers(init?.headers).get('authorization') ?? ''
      return new Response('{}')
    }
    await createServices({ services: { ai: 'https://ai.example.com' }, credentials: IDENTITY, fetch }).ai.get('x')
    return authorization
  }

  it.each(['eu-central-1\n', ' eu-central-1 ', 'eu-central-1\r\n', '\teu-central-1'])(
    '%j is trimmed',
    async (value) => {
      setEnv({ AWS_REGION: value })
      expect(await sign()).toContain('/eu-central-1/execute-api/')
    },
  )

  it.each([
    '"eu-central-1"',
    "'eu-central-1'",
    'eu central 1',
    'eu-central-1 # home',
    'eu-central',
    'eu-central-1,',
    'Frankfurt',
  ])('%j is refused at cold start, once for all services', (value) => {
    setEnv({ AWS_REGION: value })
    const problems = ['AWS_REGION: must be a region such as eu-central-1']
    expect(() => createServices({ services: { ai: 'https://ai.example.com', b: 'https://b.example.com' } })).toThrow(
      new ServicesConfigurationError(problems),
    )
  })

  it.each(['', ' ', '\n'])('%j is not set', (value) => {
    setEnv({ AWS_REGION: value })
    expect(() => createServices({ services: { ai: 'https://ai.example.com' } })).toThrow(
      'services.ai.url: the host name contains no region, and AWS_REGION is not set',
    )
  })

  it.each(['"eu-central-1"', ''])('%j does not matter where hosts or options name the region', (value) => {
    setEnv({ AWS_REGION: value })
    const services = { ai: `https://${TLS_HOST}`, b: { url: 'https://b.example.com', region: 'sa-east-1' } }
    expect(Object.keys(createServices({ services }))).toEqual(['ai', 'b'])
  })
})

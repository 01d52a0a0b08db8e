import { createServer, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { OWN_TRACE, PROGRAM_TIMEOUT, type ProgramResult, runProgram, type SeenRequest } from './run-program.ts'

const nodeMajor = Number.parseInt(process.versions.node, 10)

const senderOf = ({ requests }: ProgramResult, path: string) =>
  requests.find((request) => request.path === path)?.sentBy

describe.concurrent.each<[name: string, order: string, restored: SeenRequest['sentBy']]>([
  ['undici', 'before', 'node'],
  // On Node.js 22, importing undici 8 replaces the global dispatcher. Global fetch sends the calls from then on.
  ['undici', 'after', nodeMajor === 22 ? 'fetch' : 'node'],
  ['undici6', 'after', 'node'],
])('MockAgent as global dispatcher: %s, imported %s this package', (name, order, restored) => {
  let result: ProgramResult
  beforeAll(async () => {
    result = await runProgram('undici-mock-agent', { args: [name, order] })
  }, PROGRAM_TIMEOUT)

  // undici 6 mocks global fetch of Node.js 22 and 24. It cannot mock that of Node.js 26.
  const isFetchMocked = name === 'undici' || nodeMajor < 26

  it('responds to all calls if it responds to those of global fetch, and no request reaches the network', () => {
    const { outcomes, globalFetch } = result.notes
    const from = isFetchMocked ? 'mock' : 'gateway'
    expect(globalFetch).toBe(from)
    const notMocked = isFetchMocked ? 'ERR_SERVICE_NETWORK' : 'gateway'
    expect(outcomes).toEqual({ get: from, post: from, fetch: from, signedFetch: from, invoke: from, notMocked })
    if (isFetchMocked) {
      expect(result.requests.map(({ path }) => path)).toEqual(['/ai/jobs/imported', '/ai/jobs/restored'])
    }
  })

  it.runIf(isFetchMocked)('sees signed and traced requests', () => {
    // createSignedFetch adds no trace. The last request is that of global fetch.
    const traces = [OWN_TRACE, OWN_TRACE, OWN_TRACE, null, OWN_TRACE]
    expect(result.notes.seen).toEqual([...traces.map((trace) => ['AWS4-HMAC-SHA256', trace]), [null, null]])
  })

  it('leaves the transport unchanged once the former dispatcher is restored', () => {
    expect([senderOf(result, '/ai/jobs/imported'), senderOf(result, '/ai/jobs/restored')]).toEqual([restored, restored])
  })
})

describe.concurrent.each<[how: string, mode: string, restored: SeenRequest['sentBy']]>([
  ['install(), called before this package is imported', 'before', 'node'],
  ['install(), called after this package is imported', 'after', 'node'],
  ["undici's fetch as `fetch` option", 'option', 'fetch'],
])('%s', (_, mode, restored) => {
  let result: ProgramResult
  beforeAll(async () => {
    result = await runProgram('undici-fetch', { args: [mode] })
  }, PROGRAM_TIMEOUT)

  it("lets undici's fetch send the calls, and keeps signatures, traces, bodies and errors", () => {
    const calls = result.requests.slice(0, -1)
    expect(calls).toHaveLength(17)
    for (const { path, verified, sentBy, traces } of calls) {
      expect([verified, sentBy, traces], path).toEqual([true, 'fetch', [OWN_TRACE]])
    }
    expect(result.notes.codes).toEqual([
      'ERR_SERVICE_AUTH',
      'ERR_SERVICE_TIMEOUT',
      'TimeoutError',
      'ERR_SERVICE_TIMEOUT',
      'ERR_SERVICE_NETWORK',
    ])
  })

  it("gives a call's `dispatcher` to that fetch", () => {
    expect(result.notes.mocked).toEqual({ from: 'mock' })
  })

  it('no longer sends calls once the globals are restored, unless it is the option', () => {
    expect(senderOf(result, '/ai/jobs/restored')).toBe(restored)
  })
})

describe('a proxy', () => {
  it.each<[how: string, toEnv: (url: string) => NodeJS.ProcessEnv]>([
    ['a ProxyAgent as global dispatcher', (url) => ({ PROXY_AGENT_URL: url })],
    ['NODE_USE_ENV_PROXY', (url) => ({ NODE_USE_ENV_PROXY: '1', HTTP_PROXY: url, HTTPS_PROXY: url, NO_PROXY: '' })],
  ])(
    'passes on the calls: %s',
    async (_, toEnv) => {
      const proxy = await useProxy()
      const { requests } = await runProgram('undici-proxy', { env: toEnv(proxy.url) })
      expect(requests).toMatchObject([
        { path: '/ai/jobs', verified: true, traces: [OWN_TRACE], json: { topic: 'ü' } },
        { path: '/integration/jobs/tls', verified: true, traces: [OWN_TRACE] },
      ])
      expect(proxy.targets.map((target) => /127\.0\.0\.1|localhost/.exec(target)?.[0])).toEqual([
        '127.0.0.1',
        'localhost',
      ])
    },
    PROGRAM_TIMEOUT,
  )
})

/** A proxy for one test, which records where it was asked to connect to. */
async function useProxy() {
  const targets: string[] = []
  const server = createServer((incoming, response) => {
    targets.push(incoming.url ?? '')
    const { method, headers } = incoming
    const outgoing = request(incoming.url ?? '', { method, headers }, (received) => {
      response.writeHead(received.statusCode ?? 0, received.headers)
      received.pipe(response)
    })
    incoming.pipe(outgoing)
  })
  server.on('connect', ({ url = '' }, socket) => {
    targets.push(url)
    const { hostname, port } = new URL(`http://${url}`)
    const upstream = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      socket.on('error', () => upstream.destroy()).pipe(upstream)
      upstream.on('error', () => socket.destroy()).pipe(socket)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, targets }
}

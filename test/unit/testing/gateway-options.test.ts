import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createServices, signedServices } from '../../../src/index.ts'
import {
  type LocalGateway,
  type LocalGatewayOptions,
  mockEnv,
  mockServices,
  startLocalGateway,
} from '../../../src/testing/index.ts'
import { IDENTITY, rejection, setEnv, useGateway } from '../../support/helpers.ts'

async function start(options: Partial<LocalGatewayOptions>): Promise<LocalGateway> {
  const gateway = await startLocalGateway({ services: { ai: { 'GET /x': { ok: true } } }, ...options })
  onTestFinished(gateway.close)
  return gateway
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const gateway = await startLocalGateway({ services: {} })
  const { port } = new URL(gateway.url)
  await gateway.close()
  return Number(port)
}

describe('startLocalGateway({ port, host })', () => {
  it('listens on a free port of 127.0.0.1 by default', async () => {
    const gateway = await start({})
    expect(gateway.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
    expect(gateway.env.AI_SERVICE_API_URL).toBe(`${gateway.url}/ai`)
    expect((await start({ port: 0 })).url).not.toBe(gateway.url)
  })

  it('listens on the port that it is given', async () => {
    const port = await freePort()
    const gateway = await start({ port })
    expect(gateway.url).toBe(`http://127.0.0.1:${port}`)
    expect(gateway.env.AI_SERVICE_API_URL).toBe(`http://127.0.0.1:${port}/ai`)
    await gateway.close()
    expect((await start({ port })).url).toBe(gateway.url)
  })

  const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address === '::1'),
  )
  it.each([
    ['localhost', /^http:\/\/localhost:\d+$/],
    ['0.0.0.0', /^http:\/\/127\.0\.0\.1:\d+$/],
    ['::1', /^http:\/\/\[::1\]:\d+$/],
    ['::', /^http:\/\/\[::1\]:\d+$/],
  ])('gives a URL that leads to the host %s', async (host, url) => {
    if (host.includes(':') && !hasIPv6) return
    const gateway = await start({ host })
    expect(gateway.url).toMatch(url)
    setEnv(gateway.env)
    const { ai } = createServices({ services: ['ai'], retry: 0 })
    expect(await ai.get('x').json()).toEqual({ ok: true })
    expect(gateway.requests).toMatchObject([{ status: 200, signature: { verified: true } }])
  })

  it.each<[string, unknown, string]>([
    ['port', -1, '-1'],
    ['port', 65_536, '65536'],
    ['port', 1.5, '1.5'],
    ['port', '3000', "'3000'"],
    ['port', null, 'null'],
    ['host', '', "''"],
    ['host', 'http://localhost', "'http://localhost'"],
    ['host', '127.0.0.1:80', "'127.0.0.1:80'"],
    ['host', '[::1]', "'[::1]'"],
    ['host', 7, '7'],
  ])('refuses the %s %o', async (option, value, shown) => {
    const be = option === 'port' ? 'a whole number from 0 to 65535' : 'a host name or an IP address'
    const error = await rejection(startLocalGateway({ services: {}, [option]: value }))
    expect(error).toEqual(new TypeError(`startLocalGateway: '${option}' must be ${be}, not ${shown}`))
  })

  it('takes the last port there is', async () => {
    expect((await start({ port: 65_535 })).url).toBe('http://127.0.0.1:65535')
  })

  it("rejects with the system's error where it cannot listen", async () => {
    const port = await freePort()
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const error = await rejection(startLocalGateway({ services: {}, port }))
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', address: '127.0.0.1', port })
    // TEST-NET-1 (RFC 5737): an address that no machine has.
    expect(await rejection(startLocalGateway({ services: {}, host: '192.0.2.1' }))).toMatchObject({
      code: 'EADDRNOTAVAIL',
    })
  })
})

describe('startLocalGateway: env beside the routes of a service', () => {
  const routes = { billing: { env: 'BILLING_URL', 'GET /invoices': [1] }, ai: { 'GET /x': 2 } }

  it('names the variable that the clients read', async () => {
    const gateway = await useGateway(routes)
    expect(Object.keys(gateway.env)).toEqual([
      'BILLING_URL',
      'AI_SERVICE_API_URL',
      'AWS_REGION',
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_SESSION_TOKEN',
    ])
    expect(gateway.env.BILLING_URL).toBe(`${gateway.url}/billing`)
    const services = { billing: { env: 'BILLING_URL' }, ai: {} }
    // The same option that the middleware takes, and mockEnv.
    expect(Object.keys(mockEnv(services)).sort()).toEqual(Object.keys(gateway.env).sort())
    signedServices({ services })
    const { billing, ai } = createServices({ services })
    expect([await billing.get('invoices').json(), await ai.get('x').json()]).toEqual([[1], 2])
    expect(() => gateway.fail('billing env', 'hang')).toThrow(
      "it must be one of '*', 'billing *', 'billing GET /invoices', 'ai *', 'ai GET /x'",
    )
  })

  it.each([[7], [''], [null], [{}]])('refuses %o', async (env) => {
    const services = { billing: { env, 'GET /x': {} } } as never
    expect(await rejection(startLocalGateway({ services }))).toEqual(
      new TypeError(
        `startLocalGateway: 'services.billing.env' must be the name of a variable, not ${env === '' ? "''" : env}`,
      ),
    )
  })

  it('has no effect on mocks', async () => {
    const { billing } = mockServices(routes)
    expect(await billing.get('invoices').json()).toEqual([1])
    expect(((await rejection(billing.get('env').json())) as Error).message).toContain("only 'GET /invoices'")
    expect(mockServices({ ai: { env: 7, 'GET /x': 1 } } as never)).toHaveProperty('ai')
  })

  it('is typed', () => {
    const typed = () => {
      startLocalGateway({ services: { billing: { env: 'BILLING_URL', 'GET /x': {} }, ai: { 'GET /x': {} } } })
      mockServices({ billing: { env: 'BILLING_URL', 'GET /x': {} } })
      // @ts-expect-error: a variable's name is text
      startLocalGateway({ services: { billing: { env: 7, 'GET /x': {} } } })
      // @ts-expect-error: a variable's name is text
      mockServices({ billing: { env: () => 'BILLING_URL' } })
      // @ts-expect-error: no such member
      startLocalGateway({ services: { billing: { url: 'http://127.0.0.1', 'GET /x': {} } } })
      // @ts-expect-error: a port is a number
      startLocalGateway({ services: {}, port: '3000' })
      // @ts-expect-error: a host is text
      startLocalGateway({ services: {}, host: 7 })
    }
    expect(typed).toBeTypeOf('function')
  })
})

describe('gateway.reset', () => {
  it('forgets requests and faults', async () => {
    const gateway = await useGateway({ ai: { 'GET /x': {}, 'GET /y': {} } })
    const { ai } = createServices({ services: ['ai'], retry: 0 })
    const { requests } = gateway
    const heal = gateway.fail('ai GET /x', 'throttled')
    gateway.fail('*', { fault: 'internal-error', times: 5 })
    const statuses = async () => [(await ai.fetch('x')).status, (await ai.fetch('y')).status]
    expect(await statuses()).toEqual([500, 500])
    gateway.reset()
    expect(requests).toEqual([])
    expect(await statuses()).toEqual([200, 200])
    // What was healed with all the others stays so.
    heal()
    gateway.fail('ai GET /x', 'forbidden')
    expect(await statuses()).toEqual([403, 200])
    expect(gateway.requests).toBe(requests)
    expect(requests.map(({ status }) => status)).toEqual([200, 200, 403, 200])
    expect(gateway.env.AWS_ACCESS_KEY_ID).toBe(IDENTITY.accessKeyId)
  })
})

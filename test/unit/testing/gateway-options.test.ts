import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createServices } from '../../../src/index.ts'
import { type LocalGateway, type LocalGatewayOptions, startLocalGateway } from '../../../src/testing/index.ts'
import { rejection, setEnv } from '../../support/helpers.ts'

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
    // TEST-NET-1 (RFC 5737): an address of nobody's.
    expect(await rejection(startLocalGateway({ services: {}, host: '192.0.2.1' }))).toMatchObject({
      code: 'EADDRNOTAVAIL',
    })
  })
})

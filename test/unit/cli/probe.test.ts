import { createServer } from 'node:https'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { connect, findAddresses, measure } from '../../../src/cli/probe.ts'
import type { BaseUrl } from '../../../src/config/index.ts'
import { TLS_CERTIFICATE, TLS_KEY } from '../../support/tls-certificate.ts'

const baseOf = (url: string): BaseUrl => {
  const { origin, hostname, href } = new URL(url)
  return { origin, hostname, href, path: '' }
}

const listen = async (server: net.Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

describe('a measured step', () => {
  it('succeeds', async () => {
    expect(await measure(false, async () => 7)).toMatchObject({ ok: true, value: 7, durationMs: expect.any(Number) })
    expect(await measure(1_000, async () => 7)).toMatchObject({ ok: true })
  })

  it('fails', async () => {
    const error = new Error('broken')
    expect(await measure(1_000, () => Promise.reject(error))).toMatchObject({ ok: false, error })
  })

  it('has the duration of the step', async () => {
    const startedAt = performance.now()
    const done = await measure(false, async () => 7)
    const failed = await measure(false, () => Promise.reject(new Error('broken')))
    expect(done.durationMs + failed.durationMs).toBeLessThanOrEqual(performance.now() - startedAt)
  })

  it('leaves no timer', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    await measure(1_000, async () => 7)
    await measure(1_000, () => Promise.reject(new Error('broken')))
    expect(vi.getTimerCount()).toBe(0)
  })

  it('ends in time', async () => {
    const late = await measure(5, () => new Promise(() => {}))
    expect(late).toMatchObject({ ok: false, error: { code: 'ETIMEDOUT', message: 'no result within 5 ms' } })
  })
})

it('addresses are those of the host', async () => {
  expect(await findAddresses(baseOf('http://127.0.0.1:8080'))).toEqual(['127.0.0.1'])
  expect(await findAddresses(baseOf('http://[::1]:8080'))).toEqual(['::1'])
})

describe('a connection', () => {
  it('is made over plain http', async () => {
    const closed = Promise.withResolvers<void>()
    const port = await listen(net.createServer((socket) => socket.resume().once('close', () => closed.resolve())))
    const made = await connect(baseOf(`http://127.0.0.1:${port}`), undefined, false)
    expect(made).toEqual({ protocol: null, certificateEnd: undefined })
    await closed.promise
  })

  it('takes the port of its protocol', async () => {
    const spy = vi.spyOn(net, 'connect').mockImplementation(() => {
      throw new Error('not now')
    })
    const secure = vi.spyOn(tls, 'connect').mockImplementation(() => {
      throw new Error('not now')
    })
    onTestFinished(() => void vi.restoreAllMocks())
    await expect(connect(baseOf('http://x.example'), undefined, false)).rejects.toThrow()
    await expect(connect(baseOf('https://x.example'), 'y.example:8443', 5)).rejects.toThrow()
    expect(spy).toHaveBeenCalledWith({ host: 'x.example', port: 80 })
    expect(secure).toHaveBeenCalledWith({ host: 'x.example', port: 443, timeout: 5, servername: 'y.example' })
  })

  it.each([
    ['https://x.example:8443', undefined, 'x.example', 'x.example'],
    ['https://[::1]:8443', undefined, '::1', ''],
    ['https://[2001:db8::1:8443]:8443', undefined, '2001:db8::1:8443', ''],
    ['https://127.0.0.1:8443', undefined, '127.0.0.1', ''],
    ['https://[::1]:8443', 'y.example:443', '::1', 'y.example'],
    ['https://x.example:8443', '[::1]:443', 'x.example', ''],
  ])('to %s, for the host %s, has a server name only if that is no address', async (url, host, address, servername) => {
    const secure = vi.spyOn(tls, 'connect').mockImplementation(() => {
      throw new Error('not now')
    })
    onTestFinished(() => void vi.restoreAllMocks())
    await expect(connect(baseOf(url), host, false)).rejects.toThrow('not now')
    expect(secure).toHaveBeenCalledWith({ host: address, port: 8443, servername })
  })

  it('is made over TLS, for the name that is signed for', async () => {
    const port = await listen(createServer({ key: TLS_KEY, cert: TLS_CERTIFICATE }))
    await expect(connect(baseOf(`https://127.0.0.1:${port}`), undefined, 1_000)).rejects.toThrow(
      expect.objectContaining({ code: expect.stringMatching(/CERT/) }),
    )
    const real = tls.connect as (options: tls.ConnectionOptions) => tls.TLSSocket
    const spy = vi.spyOn(tls, 'connect') as unknown as { mockImplementation: (mock: typeof real) => void }
    spy.mockImplementation((options) => real({ ...options, ca: TLS_CERTIFICATE }))
    onTestFinished(() => void vi.restoreAllMocks())
    const { protocol, certificateEnd } = await connect(baseOf(`https://127.0.0.1:${port}`), 'localhost', false)
    expect(protocol).toBe('TLSv1.3')
    expect(certificateEnd?.getUTCFullYear()).toBeGreaterThan(2100)
  })

  it('is given up in time', async () => {
    const server = net.createServer()
    const port = await listen(server)
    // TCP is there, and TLS never comes.
    await expect(connect(baseOf(`https://127.0.0.1:${port}`), undefined, 20)).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      message: 'no connection in time',
    })
  })

  it('fails', async () => {
    const server = net.createServer()
    const port = await listen(server)
    await new Promise((resolve) => server.close(resolve))
    await expect(connect(baseOf(`http://127.0.0.1:${port}`), undefined, 1_000)).rejects.toThrow('ECONNREFUSED')
  })
})

import fc from 'fast-check'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createServices } from '../../../src/index.ts'
import { batchInvokeApiGateway, invokeApiGateway } from '../../../src/request-signer.ts'
import { answer, IDENTITY, setEnv } from '../../support/helpers.ts'
import { startStopwatch } from '../../support/stopwatch.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

let sent: Headers[]
beforeEach(() => {
  sent = []
})
const fetch: typeof globalThis.fetch = async (_, init) => {
  sent.push(new Headers(init?.headers))
  return answer('{"a":1}')
}
const createClient = () => createServices({ services: { ai: BASE }, credentials: IDENTITY, fetch }).ai

describe("ky's init hooks", () => {
  const evil = vi.fn(() => answer('evil'))

  const CHANGES: Readonly<Record<string, (options: Record<string, unknown>) => void>> = {
    'another fetch': (options) => {
      options.fetch = evil
    },
    'an accessor for fetch': (options) => {
      Object.defineProperty(options, 'fetch', { enumerable: true, get: () => evil, set() {} })
    },
    'a frozen object': (options) => {
      options.fetch = evil
      Object.freeze(options)
    },
    'another base': (options) => {
      Object.assign(options, { prefix: 'https://evil.example', baseUrl: 'https://evil.example' })
    },
    'no signal and no bounds': (options) => {
      Object.assign(options, { signal: undefined, timeout: false, totalTimeout: false, retry: { limit: 100 } })
    },
    'a prototype': (options) => {
      Object.setPrototypeOf(options, { fetch: evil })
      delete options.fetch
    },
    'a hook that takes headers off': (options) => {
      options.hooks = {
        beforeRequest: [
          ({ request }: { request: Request }) => {
            for (const name of [...request.headers.keys()]) request.headers.delete(name)
          },
        ],
      }
    },
  }

  it.each(Object.keys(CHANGES))('cannot take the signature off with %s', async (name) => {
    const change = CHANGES[name] as (options: object) => void
    const hooks = { init: [change as never] }
    for (const call of [
      () => createClient().get('x', { hooks }).json(),
      () => createClient().extend({ hooks }).post('x', { json: {} }).json(),
      () =>
        createClient()
          .extend(() => ({ hooks }))('x')
          .json(),
    ]) {
      sent = []
      expect(await call()).toEqual({ a: 1 })
      expect(sent[0]?.get('authorization')).toMatch(/^AWS4-HMAC-SHA256 /)
    }
    expect(evil).not.toHaveBeenCalled()
  })

  it('change nothing of another call', async () => {
    const json = { list: [] as number[] }
    const hooks = {
      init: [
        (options: { json?: unknown; retry?: { limit?: number } }) => {
          Object.assign(options.json as object, { added: true })
          if (options.retry) options.retry.limit = 50
        },
      ],
    } as never
    const ai = createClient().extend({ retry: { limit: 1 } })
    await ai.post('x', { json, hooks })
    expect(json).toEqual({ list: [] })
  })
})

describe('a polluted Object.prototype', () => {
  const NAMES = [
    ...['retry', 'timeout', 'totalTimeout', 'signal', 'hooks', 'headers', 'json', 'body', 'method', 'searchParams'],
    ...['fetch', 'prefix', 'baseUrl', 'throwHttpErrors', 'parseJson', 'context', 'limit', 'methods', 'statusCodes'],
    ...['delay', 'jitter', 'shouldRetry', 'forced', 'ms', 'idle', 'size', 'hold', 'cause', 'code', 'errors', 'message'],
    ...['host', 'internal', 'env', 'url', 'region', 'credentials', 'expiration', 'sessionToken', 'message', 'Message'],
    ...['agent', 'path', 'port', 'hostname', 'servername', 'statusText', 'isError', 'endsWith', 'init', 'once'],
  ]
  const VALUES: readonly unknown[] = [
    ...[5, 1e300, -1, Number.NaN, 'text', '', true, null, {}, [], ['x'], Symbol('x')],
    { limit: 1e9, delay: () => 0 },
    () => {},
    () => true,
    new Map(),
  ]

  /** Runs with the member in place, and never longer. */
  async function pollute(name: string, value: unknown, run: () => Promise<unknown>): Promise<unknown> {
    Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true, enumerable: false })
    try {
      return await run()
    } finally {
      Reflect.deleteProperty(Object.prototype, name)
    }
  }

  it('makes no call hang: each ends within its bound, and is signed if it is sent', async () => {
    setEnv({ AWS_REGION: 'eu-central-1' })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...NAMES),
        fc.constantFrom(...VALUES),
        fc.constantFrom('get', 'post', 'fetch', 'made'),
        async (name, value, way) => {
          sent = []
          const ai = createClient()
          const took = startStopwatch()
          const outcome = pollute(name, value, () => {
            const call = async () => {
              if (way === 'made') return createClient().get('x').json()
              if (way === 'fetch') return ai.fetch('x')
              return way === 'get' ? ai.get('x').json() : ai.post('x', { json: { a: 1 } }).json()
            }
            return Promise.race([
              call().then(
                () => 'ended',
                () => 'ended',
              ),
              new Promise((resolve) => setTimeout(resolve, 15_000, 'hung')),
            ])
          })
          expect(await outcome, `${name} ${String(value)} ${way}`).toBe('ended')
          expect(took()).toBeLessThan(2500)
          for (const headers of sent) expect(headers.get('authorization')).toMatch(/^AWS4/)
        },
      ),
      { numRuns: 400 },
    )
  }, 60_000)

  it.each([5, { limit: 1e9 }, 'text', () => {}])('with retry %s lets plain functions end as well', async (retry) => {
    setEnv({ AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'secret' })
    const request = { apiUrl: 'http://127.0.0.1:1/prod', method: 'POST', path: 'x' }
    const run = () =>
      Promise.allSettled([invokeApiGateway(request.apiUrl, 'POST', 'x', {}), batchInvokeApiGateway([request, request])])
    const outcomes = (await pollute('retry', retry, run)) as PromiseSettledResult<unknown>[]
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })
})

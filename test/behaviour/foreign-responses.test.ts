import { Readable } from 'node:stream'
import { runInNewContext } from 'node:vm'
import { Response as UndiciResponse } from 'undici'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices, createSignedFetch } from '../../src/index.ts'
import { IDENTITY, rejection } from '../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

function create(fetch: unknown, options: object = {}) {
  const services = createServices({
    services: { ai: BASE },
    credentials: IDENTITY,
    retry: { delay: () => 0 },
    fetch: fetch as typeof globalThis.fetch,
    ...options,
  })
  return services.ai
}

/** A response as node-fetch gives it: its own class of headers, a Node.js stream as the body. */
const nodeFetchLike = () => ({
  status: 200,
  statusText: 'OK',
  ok: true,
  url: `${BASE}/x`,
  headers: new Map([['content-type', 'application/json']]),
  body: Readable.from([Buffer.from('{"a":'), Buffer.from('1}')]),
  bodyUsed: false,
})

const noUncaught = () => {
  const seen = vi.fn()
  process.on('uncaughtException', seen).on('unhandledRejection', seen)
  onTestFinished(() => {
    process.off('uncaughtException', seen).off('unhandledRejection', seen)
  })
  return seen
}

describe('a response of', () => {
  it.each<[string, () => unknown]>([
    ['undici, the package', () => new UndiciResponse('{"a":1}', { headers: { 'content-type': 'application/json' } })],
    ['node-fetch', nodeFetchLike],
    ['another class', () => new (class Mine extends Response {})('{"a":1}')],
    ['another realm', () => Object.assign(runInNewContext('({})'), { ...nodeFetchLike() })],
  ])('%s is read like any other', async (_, respond) => {
    expect(
      await create(async () => respond())
        .get('x')
        .json(),
    ).toEqual({ a: 1 })
    expect(await (await create(async () => respond()).fetch('x')).json()).toEqual({ a: 1 })
  })
})

describe('what is no response', () => {
  const read = async () => {
    const response = new Response('{}')
    await response.text()
    return response
  }
  const locked = async () => {
    const response = new Response('{}')
    response.body?.getReader()
    return response
  }
  const cases: [string, () => unknown, string][] = [
    [
      'a plain object',
      async () => ({ ok: true, status: 200, json: async () => ({}) }),
      'something other than a Response',
    ],
    ['undefined', async () => undefined, 'something other than a Response'],
    ['null, at once', () => null, 'something other than a Response'],
    ['a text', async () => '{}', 'something other than a Response'],
    ['a frozen object', async () => Object.freeze({}), 'something other than a Response'],
    ['a body that has been read', read, 'has already been read'],
    ['a body that is being read', locked, 'has already been read'],
  ]

  it.each(cases)('%s is named, and not asked for again', async (_, fetch, words) => {
    const uncaught = noUncaught()
    const send = vi.fn(fetch)
    const error = await rejection(create(send).get('x').json())
    expect(error).toMatchObject({ code: 'ERR_SERVICE_REQUEST', message: expect.stringContaining(words) })
    expect(send).toHaveBeenCalledOnce()
    expect(await rejection(create(send).fetch('x'))).toMatchObject({ code: 'ERR_SERVICE_REQUEST' })
    const signed = createSignedFetch({
      credentials: IDENTITY,
      region: 'eu-central-1',
      service: 'execute-api',
      fetch: fetch as typeof globalThis.fetch,
    })
    expect(await rejection(signed(BASE))).toMatchObject({ name: 'TypeError', message: expect.stringContaining(words) })
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(uncaught).not.toHaveBeenCalled()
  })

  it('does not open a circuit', async () => {
    const ai = create(async () => undefined, { circuitBreaker: { failureThreshold: 1 } })
    await rejection(ai.get('x'))
    expect(await rejection(ai.get('x'))).toMatchObject({ code: 'ERR_SERVICE_REQUEST' })
  })
})

describe('whatever is thrown by', () => {
  const hostile: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['a symbol', Symbol('x')],
    ['a frozen error', Object.freeze(new Error('frozen'))],
    ['an object without a prototype', Object.create(null)],
    [
      'an error whose members throw',
      Object.defineProperties(new Error('x'), {
        message: {
          get: () => {
            throw new Error('no message')
          },
        },
        cause: {
          get: () => {
            throw new Error('no cause')
          },
        },
      }),
    ],
    [
      'a revoked proxy',
      (() => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return proxy
      })(),
    ],
  ]

  it.each(hostile)(
    'fetch, a hook or a provider, %s, a call ends with an error that can be shown',
    async (_, thrown) => {
      const uncaught = noUncaught()
      const fail = async () => {
        throw thrown
      }
      const ok = async () => new Response('{}')
      const errors = await Promise.all([
        rejection(create(fail).post('x').json()),
        rejection(create(fail).fetch('x')),
        rejection(create(ok).get('x', { hooks: { beforeRequest: [fail] } })),
        rejection(create(ok).get('x', { hooks: { afterResponse: [fail] } })),
        rejection(create(ok, { credentials: fail }).get('x')),
      ])
      for (const error of errors) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_SERVICE_/), service: 'ai' })
        expect(String(error)).toContain('ai: ')
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
      expect(uncaught).not.toHaveBeenCalled()
    },
  )

  it.each(hostile)('logger and onCall, %s, calls keep their responses', async (_, thrown) => {
    const uncaught = noUncaught()
    const later = async () => {
      throw thrown
    }
    const now = () => {
      throw thrown
    }
    for (const fail of [later, now]) {
      const logger = { info: fail, warn: fail, error: fail }
      const ai = create(async () => new Response('{"a":1}'), { logger, onCall: fail })
      expect(await ai.get('x').json()).toEqual({ a: 1 })
      const down = create(async () => new Response('', { status: 500 }), { logger, onCall: fail, retry: 0 })
      expect(await rejection(down.get('x'))).toMatchObject({ status: 500 })
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(uncaught).not.toHaveBeenCalled()
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pathBelow, resolveRequestUrl } from '../../../src/client/request-url.ts'
import { type BaseUrl, parseBaseUrl } from '../../../src/config/base-url.ts'
import type { ServiceConfig } from '../../../src/config/resolve-config.ts'
import { ServiceRequestError, ServicesConfigurationError } from '../../../src/errors/service-errors.ts'

const HOST = 'https://id.execute-api.eu-central-1.amazonaws.com'
const CALL = { service: 'ai', method: 'GET', path: '/', attempts: 0 }
const base = (url: string) => parseBaseUrl(url) as BaseUrl
const prod = base(`${HOST}/prod`)

/** Where an input leads, and the path that its errors name. */
function resolve(input: unknown, { at = prod, absolute = false } = {}) {
  const found = resolveRequestUrl({ base: at } as ServiceConfig, CALL, input, { absolute })
  return { ...found, href: found.input instanceof Request ? found.input.url : found.input.href }
}

function refusal(run: () => unknown): ServiceRequestError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(ServiceRequestError)
    return error as ServiceRequestError
  }
  throw new Error('was not refused')
}

describe('a path', () => {
  it.each([
    ['jobs', '/prod/jobs'],
    ['/jobs', '/prod/jobs'],
    ['//jobs', '/prod/jobs'],
    ['\\jobs', '/prod/jobs'],
    ['  \n/jobs', '/prod/jobs'],
    ['jobs:cancel', '/prod/jobs:cancel'],
    ['jobs?a=1', '/prod/jobs?a=1'],
    ['a b', '/prod/a%20b'],
    ['', '/prod'],
    ['?a=1', '/prod?a=1'],
    ['/', '/prod/'],
    ['a/../b', '/prod/b'],
    ['/https://evil.example/x', '/prod/https://evil.example/x'],
    ['jobs/https://evil.example', '/prod/jobs/https://evil.example'],
  ])('keeps the stage before %j', (input, expected) => {
    expect(resolve(input).href).toBe(HOST + expected)
  })

  it('that is empty leaves the base as it was configured', () => {
    expect(resolve('', { at: base('https://h.example/prod/') }).href).toBe('https://h.example/prod/')
    expect(resolve('', { at: base('https://h.example') }).href).toBe('https://h.example/')
  })

  it.each([
    ['jobs/1?key=1#part', '/jobs/1'],
    ['', '/'],
    ['a/../b', '/b'],
    ["a b/it's", '/a%20b/it%27s'],
  ])('%j is named %s in errors', (input, expected) => {
    expect(resolve(input).path).toBe(expected)
  })

  it('that is refused is named as it was given, without its query', () => {
    expect(refusal(() => resolve('/../admin?key=hunter2'))).toMatchObject({
      path: '/../admin',
      message: `ai: GET /../admin: the path leaves the base URL ${HOST}/prod`,
    })
  })
})

describe('an absolute URL given as text', () => {
  it.each([
    'https://h.example/x',
    'HTTPS://h.example',
    ' \thttps://h.example',
    'ht\ntps://h.example',
    'data://x',
    's3://h.example',
  ])('is distinguished from a path: %j', (input) => {
    expect(refusal(() => resolve(input)).message).toBe(
      `ai: GET /: the input is an absolute URL, not a path below ${HOST}/prod`,
    )
  })

  it('is taken by `.fetch`, where it is one below the base', () => {
    expect(resolve(`${HOST}/prod/x`, { absolute: true })).toMatchObject({ href: `${HOST}/prod/x`, path: '/x' })
    expect(refusal(() => resolve('https://evil.example/x', { absolute: true })).message).toContain(
      'is not the origin of this service',
    )
    expect(refusal(() => resolve('https://:', { absolute: true })).message).toBe('ai: GET /: the input is not a URL')
  })
})

describe('a URL or Request', () => {
  it('is accepted below the base, with the Request unchanged', () => {
    const url = new URL(`${HOST}/prod/x?a=1`)
    const request = new Request(url)
    expect(resolve(url)).toMatchObject({ href: url.href, path: '/x' })
    expect(resolve(request)).toMatchObject({ input: request, path: '/x' })
    expect(resolve(request).input).toBe(request)
  })

  it('is copied, so that it cannot change after the check', () => {
    const url = new URL(`${HOST}/prod/x`)
    const { input } = resolve(url)
    url.pathname = '/admin'
    expect((input as URL).href).toBe(`${HOST}/prod/x`)
  })

  it.each([undefined, null, 5, { href: `${HOST}/prod/x` }])('is all that is taken beside a text: not %o', (input) => {
    expect(refusal(() => resolve(input)).message).toBe('ai: GET /: the input must be a path, a URL or a Request')
  })
})

it('a service without a URL is named with the variable that is not set', () => {
  const config = { urlMissing: 'AI_URL: API Gateway URL not set' } as ServiceConfig
  const error = refusal(() => resolveRequestUrl(config, CALL, 'jobs?a=1'))
  expect(error.message).toBe('ai: GET /jobs: AI_URL: API Gateway URL not set')
  expect(error.cause).toBeInstanceOf(ServicesConfigurationError)
})

describe('pathBelow', () => {
  const refused = (at: BaseUrl, url: URL | string) => refusal(() => pathBelow(at, new URL(url), CALL)).message

  it.each([
    '/prod',
    '/prod/',
    '/prod/jobs',
    '/prod/a%2Fb',
    '/prod/...',
    '/prod/a/%252e%252e',
    '/prod/a%2F..%2Fb',
    '/prod/.%2F./x',
    '/prod/a.%2F..%2Fb',
    '/prod/.a%2F..%2Fb',
    '/prod/a%2Fb/%252e%252e',
  ])('lets %s pass', (path) => {
    expect(pathBelow(prod, new URL(HOST + path), CALL)).toBe(path.slice('/prod'.length) || '/')
  })

  it.each([
    '/',
    '/production',
    '/prod/../admin',
    '/prod/%2e%2e/admin',
    '/prod/.%2E/admin',
    '/prod/..%2f..%2fadmin',
    '/prod/a/..%5c..%5c..',
    '/prod/%2e%2e%2fx',
    // One segment if the decoder leaves the slash encoded.
    '/prod/a%2Fb/%252e%252e/%252e%252e',
  ])('refuses %s', (path) => {
    expect(refused(prod, HOST + path)).toBe(`ai: GET /: the path leaves the base URL ${HOST}/prod`)
  })

  it.each([
    'https://evil.example/prod/x',
    'http://id.execute-api.eu-central-1.amazonaws.com/prod/x',
    `${HOST}:8443/prod/x`,
  ])('refuses another origin, %s', (url) => {
    expect(refused(prod, url)).toMatch(/is not the origin of this service's base URL /)
  })

  it('refuses credentials without repeating them', () => {
    const withUser = new URL('/prod/x', HOST)
    withUser.username = 'hunter2'
    const withPassword = new URL('/prod/x', HOST)
    withPassword.password = 'hunter2'
    for (const url of [withUser, withPassword]) {
      expect(refused(prod, url)).toBe('ai: GET /: the URL must not contain credentials')
    }
  })

  it('takes any path below a bare host, and only the encoded form of an encoded base', () => {
    expect(pathBelow(base('https://h.example'), new URL('https://h.example/x'), CALL)).toBe('/x')
    expect(pathBelow(base("https://h.example/'a'"), new URL("https://h.example/'a'/x"), CALL)).toBe('/x')
  })
})

describe('a path of separators, dots and names, encoded at random', () => {
  /** Where a server ends that decodes a path `times` times, and splits it at `separator`. */
  function staysBelow(path: string, times: number, separator: RegExp): boolean {
    let text = path
    for (let count = 0; count < times; count += 1) {
      text = text.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    }
    let depth = 0
    for (const segment of text.split(separator)) {
      if (segment === '..') depth -= 1
      else if (segment !== '.' && segment !== '') depth += 1
      if (depth < 0) return false
    }
    return true
  }

  const kinds = ['\\\\', '%2f', '%5c', '%252f', '%255c']
  const separators = Array.from(
    { length: 2 ** kinds.length },
    (_, bits) => new RegExp(['/', ...kinds.filter((_kind, index) => bits & (1 << index))].join('|'), 'i'),
  )
  const piece = fc.constantFrom(
    ...['/', '\\', '%2f', '%2F', '%5c', '%5C', '%252f', '%255c', '%25252f', '..', '.', '%2e', '%2E', '%252e'],
    ...['%2e%2e', '.%2e', 'a', 'b%20', '%', '%25', '...'],
  )

  it('stays below its base for any decoding and any kind of slash on the server', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        let target: URL
        try {
          target = resolve(pieces.join('')).input as URL
        } catch (error) {
          expect(error).toBeInstanceOf(ServiceRequestError)
          return
        }
        const path = target.pathname.slice('/prod'.length)
        for (const times of [0, 1, 2, 3]) {
          for (const separator of separators) expect(staysBelow(path, times, separator), path).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  }, 30_000)

  it('is not refused where none of it can lead anywhere', () => {
    const harmless = fc.constantFrom('a', '%2f', '%5c', '%252f', '.', '%2e', '/', 'b%20', '...', 'a..', '..a')
    fc.assert(
      fc.property(fc.array(harmless, { maxLength: 10 }), (pieces) => {
        const path = pieces.map((one) => `x${one}`).join('')
        expect(() => resolve(path)).not.toThrow()
      }),
    )
  })
})

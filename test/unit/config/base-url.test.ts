import { describe, expect, it } from 'vitest'
import { type BaseUrl, isAbsolute, joinToBase, outsideBase, parseBaseUrl } from '../../../src/config/base-url.ts'

const base = (url: string) => parseBaseUrl(url) as BaseUrl
const prod = base('https://id.execute-api.eu-central-1.amazonaws.com/prod')
const HOST = 'https://id.execute-api.eu-central-1.amazonaws.com'

describe('parseBaseUrl', () => {
  it.each([
    ['https://h.example', { origin: 'https://h.example', hostname: 'h.example', path: '', href: 'https://h.example/' }],
    [
      'https://h.example/prod',
      { origin: 'https://h.example', hostname: 'h.example', path: '/prod', href: 'https://h.example/prod' },
    ],
    [
      'https://h.example/prod/',
      { origin: 'https://h.example', hostname: 'h.example', path: '/prod', href: 'https://h.example/prod/' },
    ],
    [
      "https://h.example//a b/'v1'",
      {
        origin: 'https://h.example',
        hostname: 'h.example',
        path: '/a%20b/%27v1%27',
        href: 'https://h.example/a%20b/%27v1%27',
      },
    ],
    [
      'http://127.0.0.1:3000/ai',
      { origin: 'http://127.0.0.1:3000', hostname: '127.0.0.1', path: '/ai', href: 'http://127.0.0.1:3000/ai' },
    ],
  ])('reads %s', (url, expected) => {
    expect(parseBaseUrl(url)).toEqual(expected)
  })

  it.each(['http://localhost:1', 'http://ai.localhost', 'http://127.12.34.56', 'http://[::1]:8080'])(
    'takes %s',
    (url) => {
      expect(parseBaseUrl(url)).toBeTypeOf('object')
    },
  )

  it.each([
    ['execute-api', /^not a URL$/],
    ['/prod', /^not a URL$/],
    ['http://h.example', /must start with https/],
    ['http://127.0.0.1.h.example', /must start with https/],
    ['http://notlocalhost', /must start with https/],
    ['ftp://localhost', /must start with https/],
    ['https://user:hunter2@h.example', /must not hold credentials/],
    ['https://hunter2@h.example', /must not hold credentials/],
    ['https://:hunter2@h.example', /must not hold credentials/],
    ['https://h.example/?key=hunter2', /query or a fragment/],
    ['https://h.example/?', /query or a fragment/],
    ['https://h.example/#hunter2', /query or a fragment/],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the very mistake
    ['https://${hunter2}.execute-api.eu-central-1.amazonaws.com', /unresolved template token/],
    ['https://{{hunter2}}/prod', /unresolved template token/],
  ])('refuses %s without repeating it', (url, problem) => {
    const refused = parseBaseUrl(url)
    expect(refused).toMatch(problem)
    expect(refused).not.toContain('hunter2')
  })
})

describe('joinToBase', () => {
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
    ['https://evil.example/x', '/prod/https://evil.example/x'],
  ])('keeps the stage before %j', (input, expected) => {
    expect(joinToBase(prod, input).href).toBe(HOST + expected)
  })

  it('leaves an empty path to the base as it was configured', () => {
    expect(joinToBase(base('https://h.example/prod/'), '').href).toBe('https://h.example/prod/')
    expect(joinToBase(base('https://h.example'), '').href).toBe('https://h.example/')
  })
})

it.each([
  ['https://h.example/x', true],
  ['HTTPS://h.example', true],
  [' \thttps://h.example', true],
  ['ht\ntps://h.example', true],
  ['data://x', true],
  ['jobs', false],
  ['jobs:cancel', false],
  ['/https://h.example', false],
  ['jobs/https://h.example', false],
  ['s3://h.example', true],
])('isAbsolute(%j) is %s', (input, expected) => {
  expect(isAbsolute(input)).toBe(expected)
})

describe('outsideBase', () => {
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
  ])('lets %s pass', (path) => {
    expect(outsideBase(prod, new URL(HOST + path))).toBeUndefined()
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
  ])('refuses %s', (path) => {
    expect(outsideBase(prod, new URL(HOST + path))).toMatch(/leaves the base URL/)
  })

  it.each([
    'https://evil.example/prod/x',
    'http://id.execute-api.eu-central-1.amazonaws.com/prod/x',
    `${HOST}:8443/prod/x`,
  ])('refuses another origin, %s', (url) => {
    expect(outsideBase(prod, new URL(url))).toMatch(/is not this service/)
  })

  it('refuses credentials without repeating them', () => {
    const withUser = new URL('/prod/x', HOST)
    withUser.username = 'hunter2'
    const withPassword = new URL('/prod/x', HOST)
    withPassword.password = 'hunter2'
    for (const url of [withUser, withPassword]) {
      expect(outsideBase(prod, url)).toBe('the URL must not hold credentials')
    }
  })

  it('takes any path below a bare host, and only the encoded form of an encoded base', () => {
    expect(outsideBase(base('https://h.example'), new URL('https://h.example/x'))).toBeUndefined()
    expect(outsideBase(base("https://h.example/'a'"), new URL("https://h.example/'a'/x"))).toBeUndefined()
  })
})

import { describe, expect, it } from 'vitest'
import { parseBaseUrl } from '../../../src/config/base-url.ts'

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
    // The same host without its trailing dot.
    [
      'https://h.example./prod',
      { origin: 'https://h.example', hostname: 'h.example', path: '/prod', href: 'https://h.example/prod' },
    ],
    // Slashes that are a problem only at the start.
    [
      'https://h.example/https:///x',
      {
        origin: 'https://h.example',
        hostname: 'h.example',
        path: '/https%3A/x',
        href: 'https://h.example/https%3A/x',
      },
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
    ['execute-api', /^https:\/\/ is missing$/],
    ['id.execute-api.eu-central-1.amazonaws.com/prod', /^https:\/\/ is missing$/],
    ['localhost:3000/ai', /^https:\/\/ is missing$/],
    ['h.example/https://x', /^https:\/\/ is missing$/],
    ['hunter2@h.example', /^not a URL$/],
    ['//h.example/prod', /^not a URL$/],
    ['https://h..example', /a part of its host name is empty$/],
    ['https://.h.example', /a part of its host name is empty$/],
    ['/prod', /^not a URL$/],
    ['https:///hunter2', /^not a URL$/],
    ['http:///localhost', /^not a URL$/],
    ['https://hunter2 h.example', /^not a URL$/],
    ['http://h.example', /must start with https/],
    ['http://127.0.0.1.h.example', /must start with https/],
    ['http://notlocalhost', /must start with https/],
    ['ftp://localhost', /must start with https/],
    ['s3://bucket', /must start with https/],
    ['https://user:hunter2@h.example', /must not contain credentials/],
    ['https://hunter2@h.example', /must not contain credentials/],
    ['https://:hunter2@h.example', /must not contain credentials/],
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

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodePath, toWireUrl } from '../../../src/signing/wire-url.ts'

const toWire = (url: string | URL) => toWireUrl(new URL(url), 'twice')
const wire = (text: string) => toWire(new URL(text, 'https://host')).href.slice('https://host'.length)

describe('toWireUrl', () => {
  it.each([
    ['/prod/jobs', '/prod/jobs'],
    ['/', '/'],
    ["/a!'()*b", '/a%21%27%28%29%2Ab'],
    ['/a b', '/a%20b'],
    ['/jobs:cancel@x;y,z=1&$+', '/jobs%3Acancel%40x%3By%2Cz%3D1%26%24%2B'],
    ['/ü/日本', '/%C3%BC/%E6%97%A5%E6%9C%AC'],
    ['/a%2Fb%20c', '/a%2Fb%20c'],
    ['/%c3%bc%41', '/%c3%bc%41'],
    ['/100%', '/100%25'],
    ['/%zz%2', '/%25zz%252'],
    ['/a//b///c/', '/a/b/c/'],
    ['/-._~', '/-._~'],
  ])('writes the path %s as %s', (given, expected) => {
    expect(wire(given)).toBe(expected)
  })

  it.each([
    ['?a=1&b=2', '?a=1&b=2'],
    ['?b=2&a=1&b=1', '?b=2&a=1&b=1'],
    ['?a', '?a='],
    ['?a=', '?a='],
    ['?=v', '?=v'],
    ['?a=b=c', '?a=b%3Dc'],
    ['?&&a=1&', '?a=1'],
    ['?q=a+b', '?q=a%20b'],
    ['?q=a%2Bb', '?q=a%2Bb'],
    ["?q=!'()*", '?q=%21%27%28%29%2A'],
    ['?%41=%7e%2f', '?A=~%2F'],
    ['?q=100%&r=%z', '?q=100%25&r=%25z'],
    ['?ü=%ff', '?%C3%BC=%FF'],
    ['?__proto__=1&constructor=2', '?__proto__=1&constructor=2'],
    ['?', ''],
  ])('writes the query %s as %s', (given, expected) => {
    expect(wire(`/p${given}`)).toBe(`/p${expected}`)
  })

  it('keeps names and values apart, in their order', () => {
    expect(toWire('https://host:8443/p?b=1&a=x%26y').query).toEqual([
      ['b', '1'],
      ['a', 'x%26y'],
    ])
    expect(toWire('https://host:8443/p').host).toBe('host:8443')
  })

  it("writes URLs that fetch's URL parser does not change, and that do not change when written again", () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.webPath(), (a, b, path) => {
        const { href } = toWire(`https://host/${a}${path}?${b}&${a}=${b}`)
        expect(new URL(href).href).toBe(href)
        expect(toWire(href).href).toBe(href)
      }),
    )
  })

  it("has the same meaning as the query by WHATWG's parser", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }))), (pairs) => {
        const url = new URL('https://host/p')
        for (const [name, value] of pairs) url.searchParams.append(name, value)
        expect([...new URL(toWire(url).href).searchParams]).toEqual([...url.searchParams])
      }),
    )
  })
})

it('encodePath does not change an encoded path', () => {
  expect(encodePath('/a%20b/%2F')).toBe('/a%20b/%2F')
})

describe('dot segments that a URL parser has left', () => {
  it.each([
    ['/prod/.a/.', '/prod/.a/'],
    ['/prod/.a/./b', '/prod/.a/b'],
    ['/prod/.a/..', '/prod/'],
    ['/prod/.a/../b', '/prod/b'],
    ['/prod/.a/../..', '/'],
    ['/.', '/'],
    ['/../../x', '/x'],
    ['/a//../b', '/a/b'],
    ['/.a/..b/...', '/.a/..b/...'],
  ])('are taken out of %s', (path, expected) => {
    expect(encodePath(path)).toBe(expected)
    expect(toWire(`https://h.example${path}`).path).toBe(expected)
  })
})

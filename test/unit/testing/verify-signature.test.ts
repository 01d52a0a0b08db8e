import { describe, expect, it } from 'vitest'
import { verifySignature } from '../../../src/testing/index.ts'
import { IDENTITY } from '../../support/helpers.ts'

const DATE = '20261122T010203Z'
const REGION = 'eu-central-1'

/** What the verifier makes of a request, whose signature need not be right. */
function canonicalOf(target: string, headers: readonly [string, string][] = [], body = ''): string[] {
  const signed = ['host', ...headers.map(([name]) => name.toLowerCase()), 'x-amz-date', 'x-amz-security-token']
  const scope = `20261122/${REGION}/execute-api/aws4_request`
  const names = [...new Set(signed)].sort().join(';')
  const authorization = `AWS4-HMAC-SHA256 Credential=${IDENTITY.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=0`
  const all = [
    ['Host', 'h.example'],
    ...headers,
    ['X-Amz-Date', DATE],
    ['X-Amz-Security-Token', IDENTITY.sessionToken ?? ''],
    ['Authorization', authorization],
  ]
  const verdict = verifySignature(
    { method: 'GET', target, rawHeaders: all.flat(), body: Buffer.from(body) },
    { credentials: [IDENTITY], region: REGION, now: Date.parse('2026-11-22T01:02:03Z') },
  )
  expect(verdict.verified).toBe(false)
  return verdict.canonicalRequest?.split('\n') ?? []
}

/** The example of the test suite, with another authorization, other headers, or at another time. */
const verifyExample = (
  change: (authorization: string) => string = (same) => same,
  extra: string[] = [],
  now = 0,
  last: string[] = [],
  date = '20150830T123600Z',
) => {
  const authorization =
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'
  const headers = ['Host', 'example.amazonaws.com', 'X-Amz-Date', date]
  const credentials = [
    IDENTITY,
    { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  ]
  const rawHeaders = [...headers, ...extra, 'Authorization', change(authorization), ...last]
  const request = { method: 'GET', target: '/', rawHeaders, body: Buffer.alloc(0) }
  const signedAt = Date.parse('2015-08-30T12:36:00Z')
  return verifySignature(request, { credentials, region: 'us-east-1', service: 'service', now: signedAt + now })
}

describe('verifySignature', () => {
  it.each([
    ['/', '/'],
    ['', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/', '/a/b/'],
    ['//a///b', '/a/b'],
    ['/a/./b/../c', '/a/c'],
    ['/../..', '/'],
    ['/a%20b', '/a%2520b'],
    ["/!'()*", '/%21%27%28%29%2A'],
  ])('reads the path %j as %s', (path, expected) => {
    expect(canonicalOf(path)[1]).toBe(expected)
  })

  it.each([
    ['?b=2&a=1', 'a=1&b=2'],
    ['?a=2&a=1&a=10', 'a=1&a=10&a=2'],
    ['?a-b=1&a=2', 'a=2&a-b=1'],
    ['?a', 'a='],
    ['?', ''],
    ['?a=b=c', 'a=b%3Dc'],
    ['?a=x+y&b=x%2By&c=x%20y', 'a=x%20y&b=x%2By&c=x%20y'],
    ['?%61=%7E%2f%zz%ff', 'a=~%2F%25zz%FF'],
    ['?a=?', 'a=%3F'],
    ['?a=%0a', 'a=%0A'],
  ])('reads the query %j as %s', (query, expected) => {
    expect(canonicalOf(`/p${query}`)[2]).toBe(expected)
  })

  it('joins headers of one name, and takes out excess white space', () => {
    expect(
      canonicalOf('/', [
        ['X-Amz-Meta', '  a   b '],
        ['x-amz-meta', 'c'],
      ]).slice(3, 7),
    ).toEqual([
      'host:h.example',
      `x-amz-date:${DATE}`,
      'x-amz-meta:a b ,c',
      `x-amz-security-token:${IDENTITY.sessionToken}`,
    ])
  })

  it('hashes the body that was received', () => {
    expect(canonicalOf('/', [], 'abc').at(-1)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })

  it('takes a name without a value for nothing', () => {
    const request = { method: 'GET', target: '/', rawHeaders: ['authorization'], body: Buffer.alloc(0) }
    expect(verifySignature(request, { credentials: [], region: REGION })).toEqual({
      verified: false,
      errorType: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token',
    })
    const signed = (authorization: string) => authorization.replace('SignedHeaders=', 'SignedHeaders=x-alone;')
    expect(verifyExample(signed, [], 0, ['x-alone'])).toMatchObject({
      message: "the 'SignedHeader' 'x-alone' is not there",
    })
  })

  it.each([
    ['more white space', (authorization: string) => authorization.replaceAll(' ', '   ')],
    ['less white space', (authorization: string) => authorization.replaceAll(', ', ',')],
  ])('takes an authorization with %s', (_, change) => {
    expect(verifyExample(change)).toMatchObject({ verified: true })
  })

  it.each([
    ['something before it', (authorization: string) => `Bearer ${authorization}`],
    ['something behind it', (authorization: string) => `${authorization}, more`],
    ['another date in its credential', (authorization: string) => authorization.replace('20150830', '20150831')],
    ['no date in its credential', (authorization: string) => authorization.replace(/\/.*request/, '')],
  ])('refuses an authorization with %s', (_, change) => {
    expect(verifyExample(change)).toMatchObject({
      errorType: expect.stringMatching(/^(IncompleteSignature|InvalidSignature)Exception$/),
      message: expect.not.stringContaining('we calculated'),
    })
  })

  it('refuses a date in another form, although it could be read', () => {
    const dashed = (authorization: string) => authorization.replace('20150830', '2015-08-')
    expect(verifyExample(dashed, [], 0, [], '2015-08-30T12:36:00Z')).toMatchObject({
      message: "Date in Credential scope does not match 'x-amz-date'",
    })
  })

  it('lets headers be unsigned that only look like those that must be signed', () => {
    expect(verifyExample(undefined, ['hosted', '1', 'not-x-amz-date', '1'])).toMatchObject({ verified: true })
  })

  it('takes signatures of the last five minutes, and of the next', () => {
    for (const now of [-300_000, 300_000]) expect(verifyExample(undefined, [], now)).toMatchObject({ verified: true })
    for (const now of [-300_001, 300_001]) expect(verifyExample(undefined, [], now)).toMatchObject({ verified: false })
  })

  it('reproduces the example of the Signature Version 4 test suite, get-vanilla', () => {
    expect(verifyExample()).toMatchObject({ verified: true })
  })
})

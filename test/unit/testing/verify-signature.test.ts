import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSignedFetch } from '../../../src/index.ts'
import { Sha256 } from '../../../src/signing/signing-key.ts'
import { verifySignature } from '../../../src/testing/index.ts'
import { IDENTITY } from '../../support/helpers.ts'

const DATE = '20261122T010203Z'
const REGION = 'eu-central-1'

/** Lines of the canonical request that the verifier computes. The signature of the request is wrong. */
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

  it('ignores a name without a value', () => {
    const request = { method: 'GET', target: '/', rawHeaders: ['authorization'], body: Buffer.alloc(0) }
    expect(verifySignature(request, { credentials: [], region: REGION })).toEqual({
      verified: false,
      errorType: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token',
    })
    const signed = (authorization: string) => authorization.replace('SignedHeaders=', 'SignedHeaders=x-alone;')
    expect(verifyExample(signed, [], 0, ['x-alone'])).toMatchObject({
      message: "the 'SignedHeader' 'x-alone' is missing",
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

  /** Signs a request whose headers and payload hash are canonical as they stand, and gives it with other headers. */
  function sign(canonical: string, names: string, sent: readonly string[], service = 'execute-api') {
    const date = DATE.slice(0, 8)
    const scope = `${date}/${REGION}/${service}/aws4_request`
    const hash = createHash('sha256').update(canonical).digest('hex')
    const key = [date, REGION, service, 'aws4_request'].reduce<string | Buffer>(
      (last, part) => createHmac('sha256', last).update(part).digest(),
      `AWS4${IDENTITY.secretAccessKey}`,
    )
    const signature = createHmac('sha256', key).update(`AWS4-HMAC-SHA256\n${DATE}\n${scope}\n${hash}`).digest('hex')
    const authorization = `AWS4-HMAC-SHA256 Credential=${IDENTITY.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
    const rawHeaders = [...sent, 'Authorization', authorization]
    return verifySignature(
      { method: 'GET', target: '/', rawHeaders, body: Buffer.from('abc') },
      {
        credentials: [{ ...IDENTITY, sessionToken: undefined } as never],
        region: REGION,
        service,
        now: Date.parse('2026-11-22T01:02:03Z'),
      },
    )
  }

  const verifyValue = (canonical: string, sent: string) =>
    sign(
      `GET\n/\n\nhost:h\nx-amz-date:${DATE}\nx-amz-meta:${canonical}\n\nhost;x-amz-date;x-amz-meta\n${ABC}`,
      'host;x-amz-date;x-amz-meta',
      ['Host', 'h', 'X-Amz-Date', DATE, 'X-Amz-Meta', sent],
    ).verified

  const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

  it('ignores spaces at the ends and repeated spaces, and nothing else', () => {
    for (const sent of ['a b', ' a b', 'a b ', '  a    b  ']) expect(verifyValue('a b', sent), sent).toBe(true)
    for (const space of ['\u00a0', '\u000b', '\u000c', '\t', '\u0085', '\u1680', '\u2003', '\u3000', '\ufeff']) {
      for (const sent of [`a${space}b`, `a ${space}b`, `${space}a b`, `a b${space}`, `a${space}${space}b`]) {
        expect(verifyValue('a b', sent), JSON.stringify(sent)).toBe(false)
      }
      // As it stands, it is a character like others.
      expect(verifyValue(`a${space}b`, `a${space}b`)).toBe(true)
    }
  })

  it('treats only spaces as spaces', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }), (text) => {
        expect(verifyValue('a b', `a${text}b`)).toBe(/^ +$/.test(text))
      }),
    )
  })

  it.each(['x-amz-date', 'x-amz-date;x-host', 'hosts;x-amz-date'])('refuses %s, where host is not signed', (names) => {
    const sent = ['Host', 'h', 'Hosts', 'h', 'X-Host', 'h', 'X-Amz-Date', DATE]
    expect(sign('', names, sent)).toMatchObject({
      verified: false,
      errorType: 'InvalidSignatureException',
      message: "'Host' or ':authority' must be a 'SignedHeader'",
    })
  })

  it.each([
    ['vpc-lattice-svcs', true],
    ['s3', true],
    ['execute-api', false],
    ['lambda', false],
    ['s3-outposts', false],
  ])('takes an unsigned payload of %s: %s', (service, isTaken) => {
    const sent = ['Host', 'h', 'X-Amz-Date', DATE, 'X-Amz-Content-Sha256', 'UNSIGNED-PAYLOAD']
    const names = 'host;x-amz-content-sha256;x-amz-date'
    const head = `GET\n/\n\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:${DATE}\n\n${names}`
    expect(sign(`${head}\nUNSIGNED-PAYLOAD`, names, sent, service).verified).toBe(isTaken)
    expect(sign(`${head}\n${ABC}`, names, sent, service).verified).toBe(!isTaken)
  })
})

describe.each([
  ['s3', true],
  ['s3-object-lambda', true],
  ['s3-outposts', true],
  ['s3express', true],
  ['execute-api', false],
  ['lambda', false],
])('verifySignature of %s', (service, isS3) => {
  const host = 'bucket.example'
  const verify = (target: string, headers: Record<string, string>) =>
    verifySignature(
      { method: 'GET', target, rawHeaders: Object.entries({ host, ...headers }).flat(), body: Buffer.alloc(0) },
      { credentials: [IDENTITY], region: REGION, service },
    )

  /** What `createSignedFetch` sends: the path on the wire, and its verdict. */
  async function fromSignedFetch(path: string) {
    let sent = { target: '', headers: {} }
    const signedFetch = createSignedFetch({
      credentials: IDENTITY,
      region: REGION,
      service,
      fetch: async (url, init) => {
        sent = {
          target: String(url).slice(`https://${host}`.length),
          headers: Object.fromEntries(new Headers(init?.headers)),
        }
        return new Response()
      },
    })
    await signedFetch(`https://${host}${path}`)
    return { target: sent.target, verdict: verify(sent.target, sent.headers) }
  }

  /** The verdict on the AWS SDK's signature. */
  async function fromSdk(path: string) {
    const signer = new SignatureV4({
      credentials: IDENTITY,
      region: REGION,
      service,
      sha256: Sha256,
      uriEscapePath: !isS3,
    })
    const request = { method: 'GET', protocol: 'https:', hostname: host, path, headers: { host } }
    return verify(path, (await signer.sign(request)).headers)
  }

  it.each([
    ['/', '/', '/'],
    ['/a/b.txt', '/a/b.txt', '/a/b.txt'],
    ['/a//b/', '/a//b/', '/a/b/'],
    ['///a', '///a', '/a'],
    ['/a%20b', '/a%20b', '/a%2520b'],
    ['/a%2Fb', '/a%2Fb', '/a%252Fb'],
    ['/a%2fb', '/a%2fb', '/a%252fb'],
    ['/a%252Fb', '/a%252Fb', '/a%25252Fb'],
    ['/%C3%BC', '/%C3%BC', '/%25C3%25BC'],
    ['/.a/~b_-', '/.a/~b_-', '/.a/~b_-'],
  ])('accepts a signature for the path %s', async (path, once, twice) => {
    const canonical = isS3 ? once : twice
    const { target, verdict } = await fromSignedFetch(path)
    expect(verdict).toMatchObject({ verified: true })
    expect(verdict.canonicalRequest?.split('\n')[1]).toBe(canonical)
    const bySdk = await fromSdk(target)
    expect(bySdk).toMatchObject({ verified: true })
    expect(bySdk.canonicalRequest?.split('\n')[1]).toBe(canonical)
  })

  it.each([
    ["/it's (1)!*", '/it%27s%20%281%29%21%2A', '/it%2527s%2520%25281%2529%2521%252A'],
    ['/a+b@c:d=e&f', '/a%2Bb%40c%3Ad%3De%26f', '/a%252Bb%2540c%253Ad%253De%2526f'],
  ])('accepts a signature for the path %s, which is encoded before it is sent', async (path, once, twice) => {
    const { target, verdict } = await fromSignedFetch(path)
    expect(target).toBe(once)
    expect(verdict).toMatchObject({ verified: true })
    expect(verdict.canonicalRequest?.split('\n')[1]).toBe(isS3 ? once : twice)
  })
})

it.each([
  ['', '/'],
  ["/a!'()*b", '/a%21%27%28%29%2Ab'],
  ['/a/../b/./c', '/a/../b/./c'],
])('verifySignature reads the path %j of S3 as %s', (target, expected) => {
  const authorization = `AWS4-HMAC-SHA256 Credential=${IDENTITY.accessKeyId}/20261122/${REGION}/s3/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=0`
  const headers = ['host', 'h', 'x-amz-date', DATE, 'x-amz-security-token', IDENTITY.sessionToken ?? '']
  const verdict = verifySignature(
    { method: 'GET', target, rawHeaders: [...headers, 'authorization', authorization], body: Buffer.alloc(0) },
    { credentials: [IDENTITY], region: REGION, service: 's3', now: Date.parse('2026-11-22T01:02:03Z') },
  )
  expect(verdict.canonicalRequest?.split('\n')[1]).toBe(expected)
})

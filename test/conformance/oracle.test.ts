import { SignatureV4 } from '@smithy/signature-v4'
import aws4 from 'aws4'
import { AwsClient } from 'aws4fetch'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCanonicalRequest, createStringToSign } from '../../src/signing/canonical-request.ts'
import { sha256Hex } from '../../src/signing/sha256.ts'
import { Sha256 } from '../../src/signing/signing-key.ts'
import { toWireUrl } from '../../src/signing/wire-url.ts'
import { type LocalGateway, startLocalGateway, verifySignature } from '../../src/testing/index.ts'
import { IDENTITY } from '../support/helpers.ts'
import { suite } from './sigv4-test-suite.ts'

const CREDENTIAL = 'AKIDEXAMPLE/20150830/us-east-1/service/aws4_request'
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'

describe("AWS's Signature Version 4 test suite", () => {
  const headerOf = (rawHeaders: readonly string[], name: string) =>
    rawHeaders.find((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
  const verify = (test: (typeof suite)[number], signature = test.signature) => {
    const authorization = `AWS4-HMAC-SHA256 Credential=${CREDENTIAL}, SignedHeaders=${test.signedHeaders}, Signature=${signature}`
    const sessionToken = headerOf(test.rawHeaders, 'x-amz-security-token')
    return verifySignature(
      { ...test, rawHeaders: [...test.rawHeaders, 'Authorization', authorization], body: Buffer.from(test.body) },
      {
        credentials: [{ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: SECRET, ...(sessionToken && { sessionToken }) }],
        region: 'us-east-1',
        service: 'service',
        now: Date.parse('2015-08-30T12:36:00Z'),
      },
    )
  }

  it.each(suite)('$name: canonical request, string to sign, signature', (test) => {
    const verdict = verify(test)
    expect(sha256Hex(verdict.canonicalRequest ?? '')).toBe(test.canonicalRequestHash)
    expect(verdict.stringToSign?.split('\n')).toEqual([
      'AWS4-HMAC-SHA256',
      '20150830T123600Z',
      '20150830/us-east-1/service/aws4_request',
      test.canonicalRequestHash,
    ])
    expect(verdict.verified).toBe(true)
    expect(
      verify(
        test,
        test.signature.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
      ).verified,
    ).toBe(false)
  })

  it("reproduces the worked example of AWS's documentation, IAM's ListUsers", () => {
    const rawHeaders = [
      ['Host', 'iam.amazonaws.com'],
      ['Content-Type', 'application/x-www-form-urlencoded; charset=utf-8'],
      ['X-Amz-Date', '20150830T123600Z'],
      [
        'Authorization',
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
      ],
    ].flat()
    const verdict = verifySignature(
      { method: 'GET', target: '/?Action=ListUsers&Version=2010-05-08', rawHeaders, body: Buffer.alloc(0) },
      {
        credentials: [{ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: SECRET }],
        region: 'us-east-1',
        service: 'iam',
        now: Date.parse('2015-08-30T12:36:00Z'),
      },
    )
    expect(sha256Hex(verdict.canonicalRequest ?? '')).toBe(
      'f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59',
    )
    expect(verdict.verified).toBe(true)
  })

  const onceEncoded = suite.filter(({ target }) => !/[^\x21-\x7e]|\.\./.test(target))
  it.each(onceEncoded)(
    '$name: our canonical request is the same',
    ({ method, target, rawHeaders, body, signedHeaders, canonicalRequestHash }) => {
      const names = signedHeaders.split(';')
      const values = names.map((name): [string, string] => [
        name,
        rawHeaders
          .filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
          .map((value) => value.replace(/ +/g, ' '))
          .join(','),
      ])
      const { path, query } = toWireUrl(
        new URL(`https://example.amazonaws.com${target.replace(/^\/\/+/, '/')}`),
        'twice',
      )
      const canonical = createCanonicalRequest(method, path, 'twice', query, values, sha256Hex(body))
      expect(canonical.signedHeaders).toBe(signedHeaders)
      expect(createStringToSign('d', 's', canonical.text).split('\n')[3]).toBe(canonicalRequestHash)
    },
  )
})

describe('correct signatures of other signers are accepted:', () => {
  let gateway: LocalGateway
  beforeAll(async () => {
    const answer = { ok: true }
    const routes = Object.fromEntries(['GET', 'POST', 'PUT', 'DELETE'].map((method) => [`${method} /jobs/:id`, answer]))
    gateway = await startLocalGateway({ services: { ai: routes }, credentials: IDENTITY })
  })
  afterAll(() => gateway.close())

  const requests: [string, string, string?][] = [
    ['GET', '/ai/jobs/1'],
    ['GET', '/ai/jobs/1?b=2&a=1&a=0'],
    ['GET', '/ai/jobs/a%20b?q=x%20y'],
    ['GET', '/ai/jobs/%C3%BC'],
    ['POST', '/ai/jobs/1', '{"a":"ü"}'],
    ['PUT', '/ai/jobs/1?x=', 'text'],
    ['DELETE', '/ai/jobs/1'],
  ]
  const type = (body?: string): Record<string, string> =>
    body === undefined ? {} : { 'content-type': 'application/json' }

  it.each(requests)('aws4, %s %s', async (method, path, body) => {
    const { host } = new URL(gateway.url)
    const options = {
      host,
      path,
      method,
      service: 'execute-api',
      region: 'us-east-1',
      headers: type(body),
      ...(body !== undefined && { body }),
    }
    const { headers } = aws4.sign(options, IDENTITY as never)
    const { Host: _, 'Content-Length': __, ...rest } = headers as Record<string, string>
    // aws4 signs the length as well, which fetch writes just so.
    const response = await fetch(gateway.url + path, { method, headers: rest, ...(body !== undefined && { body }) })
    expect(response.status).toBe(200)
  })

  it.each(requests)('aws4fetch, %s %s', async (method, path, body) => {
    const { accessKeyId, secretAccessKey, sessionToken = '' } = IDENTITY
    const client = new AwsClient({
      accessKeyId,
      secretAccessKey,
      sessionToken,
      service: 'execute-api',
      region: 'us-east-1',
      retries: 0,
    })
    const response = await client.fetch(gateway.url + path, {
      method,
      headers: type(body),
      ...(body !== undefined && { body }),
    })
    expect(response.status).toBe(200)
  })

  it.each(requests)('@smithy/signature-v4, %s %s', async (method, path, body) => {
    const url = new URL(path, gateway.url)
    const signer = new SignatureV4({
      credentials: IDENTITY,
      region: 'us-east-1',
      service: 'execute-api',
      sha256: Sha256,
    })
    const query: Record<string, string[]> = {}
    for (const [name, value] of url.searchParams) query[name] = [...(query[name] ?? []), value]
    const { headers } = await signer.sign({
      method,
      protocol: 'http:',
      hostname: url.hostname,
      path: url.pathname,
      query,
      headers: { host: url.host, ...type(body) },
      ...(body !== undefined && { body }),
    })
    const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) })
    expect(response.status).toBe(200)
  })
})

import { describe, expect, it } from 'vitest'
import { createCanonicalRequest, createStringToSign } from '../../../src/signing/canonical-request.ts'
import { sha256Hex } from '../../../src/signing/sha256.ts'

const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

describe('createCanonicalRequest', () => {
  it('puts method, path, query, headers, their names and the payload hash on lines of their own', () => {
    const { text, signedHeaders } = createCanonicalRequest(
      'POST',
      '/prod/jobs',
      'twice',
      [['a', '1']],
      [
        ['x-amz-date', '20261122T000000Z'],
        ['host', 'h.example'],
      ],
      EMPTY,
    )
    expect(text.split('\n')).toEqual([
      'POST',
      '/prod/jobs',
      'a=1',
      'host:h.example',
      'x-amz-date:20261122T000000Z',
      '',
      'host;x-amz-date',
      EMPTY,
    ])
    expect(signedHeaders).toBe('host;x-amz-date')
  })

  it.each([
    ['twice', '/a%2520b'],
    ['once', '/a%20b'],
  ] as const)('encodes the path %s in all, of which the wire has done one', (pathEncoding, expected) => {
    expect(createCanonicalRequest('GET', '/a%20b', pathEncoding, [], [], EMPTY).text.split('\n')[1]).toBe(expected)
  })

  it.each([
    [['b=1', 'a=2'], 'a=2&b=1'],
    [['a=2', 'a=1', 'a=10'], 'a=1&a=10&a=2'],
    [['a-b=1', 'a=2'], 'a=2&a-b=1'],
    [['%7C=1', 'A=2'], '%7C=1&A=2'],
    [['a=1', 'B=1', '%C3%BC=1', '__proto__=1'], '%C3%BC=1&B=1&__proto__=1&a=1'],
    [['a=1', 'a=1'], 'a=1&a=1'],
  ])('sorts %j by encoded name, then value', (pairs, expected) => {
    const query = pairs.map((pair) => pair.split('=') as [string, string])
    expect(createCanonicalRequest('GET', '/', 'twice', query, [], EMPTY).text.split('\n')[2]).toBe(expected)
  })
})

it('the string to sign names algorithm, date, scope and the hash of the canonical request', () => {
  expect(createStringToSign('20261122T010203Z', '20261122/eu-central-1/execute-api/aws4_request', 'GET')).toBe(
    `AWS4-HMAC-SHA256\n20261122T010203Z\n20261122/eu-central-1/execute-api/aws4_request\n${sha256Hex('GET')}`,
  )
})

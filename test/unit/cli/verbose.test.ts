import { describe, expect, it } from 'vitest'
import type { SentRequest } from '../../../src/cli/signed-call.ts'
import { describeAttempt, describeHead } from '../../../src/cli/verbose.ts'
import type { ServiceConfig } from '../../../src/config/index.ts'

const service = { region: 'eu-west-1', signingName: 'execute-api', host: undefined } as ServiceConfig
const attempt: SentRequest = {
  method: 'GET',
  url: 'https://x.example/jobs',
  canonicalRequest: undefined,
  tried: [],
  response: undefined,
  durationMs: 12.34,
  endedAt: 0,
}

describe('an attempt', () => {
  it('without signature, connection and response has none of them', () => {
    expect(describeAttempt(attempt, 1, service, [])).toBe(
      '* attempt 1: GET https://x.example/jobs\n* signed for execute-api in eu-west-1\n* no response, 12.3 ms',
    )
  })

  it('ends with the status, even if that has no text', () => {
    const lines = (response: Response) =>
      describeAttempt({ ...attempt, response }, 2, service, [])
        .split('\n')
        .slice(-2)
    expect(lines(new Response(null, { status: 201, statusText: 'Created' }))).toEqual([
      '* reused connection',
      '* 201 Created, 12.3 ms',
    ])
    expect(lines(new Response(null, { status: 201 })).at(-1)).toBe('* 201, 12.3 ms')
  })

  it('shows its signature without the token', () => {
    const canonicalRequest = [
      'GET',
      '/jobs',
      '',
      'host:x.example',
      'x-about:x-amz-security-token:',
      'x-amz-date:20260110T000000Z',
      'x-amz-security-token:FwoGZXIvYXdzEBYaDEXAMPLE',
      '',
      'host;x-about;x-amz-date;x-amz-security-token',
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    ].join('\n')
    const text = describeAttempt({ ...attempt, canonicalRequest }, 1, service, [])
    expect(text).toContain(`
* canonical request:
  GET
  /jobs

  host:x.example
  x-about:x-amz-security-token:
  x-amz-date:20260110T000000Z
  x-amz-security-token:[redacted]

  host;x-about;x-amz-date;x-amz-security-token
  e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
* string to sign:
  AWS4-HMAC-SHA256
  20260110T000000Z
  20260110/eu-west-1/execute-api/aws4_request
`)
  })
})

describe('a head', () => {
  it.each([
    ['OK', 'HTTP/1.1 200 OK\nx-a: b\n'],
    ['', 'HTTP/1.1 200\nx-a: b\n'],
  ])('with the status text %j', (statusText, expected) => {
    expect(describeHead(new Response(null, { status: 200, statusText, headers: { 'x-a': 'b' } }))).toBe(expected)
  })
})

import { describe, expect, it, vi } from 'vitest'
import { hintFor, type RejectedCall, throttlingHint } from '../../../src/errors/hint.ts'
import {
  classifyRejection,
  isGatewayThrottling,
  isQuotaExhausted,
  type PeekableResponse,
  readHealable,
  readRejectionText,
} from '../../../src/errors/rejection.ts'
import { createServices, ServiceAuthError } from '../../../src/index.ts'
import { findKind } from '../../../src/signing/service-table.ts'
import { IDENTITY, rejection, useGateway } from '../../support/helpers.ts'

const API = findKind('execute-api')
const GRAPHQL = findKind('appsync')

const CALL: RejectedCall = {
  method: 'POST',
  path: '/publish/blog',
  url: 'https://h.example/prod',
  scope: { region: 'eu-central-1', signingName: 'execute-api' },
  rejections: API,
  secrets: new Set(),
  tried: new Set(),
}

/** A response with the given text as the beginning of its body. */
function rejected(status: number, type?: string, text = '') {
  const response = new Response(null, { status, headers: type === undefined ? {} : { 'x-amzn-errortype': type } })
  return Object.assign(response, { peek: vi.fn<PeekableResponse['peek']>(async () => text) })
}

describe('classifyRejection', () => {
  it.each([
    [403, 'MissingAuthenticationTokenException', 'Missing Authentication Token', 'missing-token'],
    [403, 'IncompleteSignatureException', 'not a valid key=value pair', 'signature-mismatch'],
    [403, 'InvalidSignatureException', 'The request signature we calculated does not match', 'signature-mismatch'],
    [403, 'InvalidSignatureException', 'Signature expired: 1 is now earlier than 2', 'signature-expired'],
    [
      403,
      'InvalidSignatureException',
      'Signature not yet current: 2 is still later than 1',
      'signature-not-yet-current',
    ],
    [403, 'InvalidSignatureException', 'The security token included in the request is expired', 'signature-mismatch'],
    [403, 'InvalidSignatureException', "Credential should be scoped to a valid region, not 'x'. ", 'wrong-scope'],
    [403, 'UnrecognizedClientException', 'The security token included in the request is invalid.', 'invalid-token'],
    [403, 'ExpiredTokenException', '', 'expired-token'],
    [403, 'ExpiredTokenException', 'Signature expired: 1', 'expired-token'],
    [403, 'AccessDeniedException', 'User: x is not authorized to perform: execute-api:Invoke', 'access-denied'],
    [403, 'AccessDeniedException', 'The security token included in the request is invalid.', 'invalid-token'],
    [403, 'AccessDeniedException', 'The security token included in the request is expired', 'expired-token'],
    [403, 'AccessDeniedException', '', 'access-denied'],
    [403, 'ForbiddenException', 'Forbidden', 'forbidden'],
    [400, 'ForbiddenException', 'Forbidden', 'forbidden'],
    [429, 'TooManyRequestsException', 'Too Many Requests', 'throttled'],
    [429, 'LimitExceededException', 'Limit Exceeded', 'quota'],
    // Owners of an API may change the status. The type stays.
    [401, 'MissingAuthenticationTokenException', '', 'missing-token'],
    [500, 'AccessDeniedException', '', 'access-denied'],
    [500, 'AccessDeniedException', 'The security token included in the request is expired', 'expired-token'],
    [503, 'TooManyRequestsException', '', 'throttled'],
    [400, 'LimitExceededException', '', 'quota'],
    // HTTP APIs and gateway responses without a type: the message, then the status.
    [403, undefined, 'Forbidden', 'forbidden'],
    [403, undefined, 'User: x is not authorized to perform: lambda:InvokeFunctionUrl on resource: y', 'access-denied'],
    [403, undefined, '... with an explicit deny in an identity-based policy', 'access-denied'],
    [403, undefined, 'Missing Authentication Token', 'missing-token'],
    [
      403,
      undefined,
      'The request signature we calculated does not match the signature you provided.',
      'signature-mismatch',
    ],
    [403, undefined, 'Signature expired: 1', 'signature-expired'],
    [401, undefined, 'The security token included in the request is expired', 'expired-token'],
    [403, 'SomethingElse', 'Signature expired: 1', 'signature-expired'],
    [429, undefined, '', 'throttled'],
    [403, 'constructor', '', 'forbidden'],
    // A gateway's words, quoted by another service.
    [403, 'SomethingElse', 'no Signature expired', 'forbidden'],
    [403, undefined, 'no Signature expired', undefined],
    [403, undefined, 'no Signature not yet current', undefined],
    [403, undefined, 'no Credential should be scoped to a valid region', undefined],
    [403, undefined, 'no The request signature we calculated does not match', undefined],
    [403, undefined, 'no Missing Authentication Token', undefined],
    [403, undefined, 'Missing Authentication Token?', undefined],
    // What is no gateway's refusal.
    [403, undefined, '', undefined],
    [403, undefined, 'forbidden', undefined],
    [401, undefined, 'Forbidden', 'forbidden'],
    [401, undefined, 'Log in first', undefined],
    [404, undefined, 'Not Found', undefined],
    [400, undefined, 'Signature expired: 1', undefined],
    [500, 'InternalServerErrorException', 'Internal server error', undefined],
    [200, undefined, '', undefined],
  ] as const)('%d %s, %j: %s', (status, type, message, expected) => {
    expect(classifyRejection(status, { type, message }, API)).toBe(expected)
  })
})

it.each([
  [200, undefined],
  [399, undefined],
  [400, 'missing-token'],
])('a response of GraphQL with %d is classified by its message as %s', (status, expected) => {
  const text = { type: undefined, message: 'Missing Authentication Token' }
  expect(classifyRejection(status, text, GRAPHQL)).toBe(expected)
  expect(classifyRejection(status, text, API)).toBeUndefined()
})

describe('type and message of a rejection', () => {
  const errorTyped = (type?: string) => new Headers(type === undefined ? {} : { 'x-amzn-errortype': type })

  it.each<[unknown, string | undefined, string]>([
    [
      {
        errors: [
          { errorType: 'X', message: 'm' },
          { errorType: 'Y', message: 'n' },
        ],
      },
      'X',
      'm',
    ],
    [{ errors: [{ errorType: 7, message: 'm' }] }, undefined, 'm'],
    [{ errors: [{ message: 'm' }] }, undefined, 'm'],
    [{ errors: [] }, undefined, ''],
    [{ errors: 'none', message: 'm' }, undefined, 'm'],
    [undefined, undefined, ''],
    ['text', undefined, 'text'],
  ])('in GraphQL are those of the first error: %j', (data, type, message) => {
    expect(readRejectionText(errorTyped(), data, GRAPHQL)).toEqual({ type, message })
  })

  it('are otherwise those of the header and of the body', () => {
    const data = { errorType: 'X', message: 'm', errors: [{ errorType: 'Y', message: 'n' }] }
    expect(readRejectionText(errorTyped(), data, API)).toEqual({ type: undefined, message: 'm' })
    expect(readRejectionText(errorTyped('Z:http://x'), data, API)).toEqual({ type: 'Z', message: 'm' })
    expect(readRejectionText(errorTyped('Z'), data, GRAPHQL)).toEqual({ type: 'Z', message: 'n' })
    expect(readRejectionText(errorTyped(), { Message: 'm' }, API).message).toBe('m')
  })
})

it.each([
  [429, 'TooManyRequestsException', true],
  [503, 'TooManyRequestsException', true],
  [429, 'LimitExceededException', true],
  [400, 'LimitExceededException', false],
  [429, 'SomethingElse', false],
  [429, undefined, false],
])('the gateway throttled a request with the status %d and the type %s: %j', (status, type, expected) => {
  expect(isGatewayThrottling(rejected(status, type))).toBe(expected)
})

it.each([
  ['LimitExceededException', API, true],
  ['TooManyRequestsException', API, false],
  ['LimitExceededException', GRAPHQL, false],
])('a usage plan is used up with the type %s', (type, rules, expected) => {
  expect(isQuotaExhausted(rejected(429, type).headers, rules)).toBe(expected)
})

describe('a second attempt', () => {
  it.each([
    ['ExpiredTokenException', 'token'],
    ['UnrecognizedClientException', 'token'],
    ['ForbiddenException', undefined],
    ['SomethingElse', undefined],
    [undefined, undefined],
  ])('after %s is decided by the type alone', async (type, expected) => {
    const response = rejected(403, type, '{"message":"The security token included in the request is expired"}')
    expect(await readHealable(response, API)).toBe(expected)
    expect(response.peek).not.toHaveBeenCalled()
  })

  it.each([
    ['InvalidSignatureException', '{"message":"Signature expired: 1"}', 'time'],
    ['InvalidSignatureException', '{"message":"Signature not yet current: 1"}', 'time'],
    ['InvalidSignatureException', 'no JSON', undefined],
    ['AccessDeniedException', '{"message":"The security token included in the request is invalid."}', 'token'],
    ['AccessDeniedException', '{"message":"no"}', undefined],
  ])('after %s is decided by the message %j', async (type, body, expected) => {
    expect(await readHealable(rejected(403, type, body), API)).toBe(expected)
  })

  it.each([
    [399, undefined],
    [400, 'token'],
    [401, 'token'],
  ])('after %d is decided by the first error in GraphQL', async (status, expected) => {
    const response = rejected(status, undefined, '{"errors":[{"errorType":"UnrecognizedClientException"}]}')
    expect(await readHealable(response, GRAPHQL)).toBe(expected)
    expect(response.peek).toHaveBeenCalledTimes(expected === undefined ? 0 : 1)
  })

  it('is decided by a body of 16 KB, read within a second, or until it is complete', async () => {
    const response = rejected(403, 'AccessDeniedException', '{}')
    await readHealable(response, API)
    const [maxBytes, ms, isEnough] = response.peek.mock.calls[0] ?? []
    expect([maxBytes, ms]).toEqual([16_384, 1000])
    expect(isEnough?.('{"message":')).toBe(false)
    expect(isEnough?.('{"message":"no"}')).toBe(true)
  })
})

describe('a hint', () => {
  it('names role, account, action and resource of a missing permission', () => {
    const message =
      'User: arn:aws:sts::123456789012:assumed-role/publisher/session is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:abc/prod/POST/publish/blog because no identity-based policy allows the execute-api:Invoke action'
    expect(hintFor('access-denied', CALL, message)).toBe(
      'Add this statement to the policy of the role publisher (account 123456789012): {"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:*:abc/prod/POST/publish/blog"}',
    )
  })

  it('names the parts that the message has', () => {
    expect(
      hintFor(
        'access-denied',
        CALL,
        'User: arn:aws:iam::1:user/me is not authorized to perform: lambda:InvokeFunctionUrl on resource: arn:aws:lambda:x',
      ),
    ).toContain(
      'Add this statement to the policy of arn:aws:iam::1:user/me: {"Effect":"Allow","Action":"lambda:InvokeFunctionUrl","Resource":"arn:aws:lambda:x"}',
    )
    expect(
      hintFor('access-denied', CALL, 'User: arn:aws:iam::1:user/me is not authorized to perform: execute-api:Invoke'),
    ).toBe(
      'Add this statement to the policy of arn:aws:iam::1:user/me: {"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*"}',
    )
    expect(hintFor('access-denied', CALL, '')).toBe(
      `Add this statement to the policy of the function's role: {"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*"}`,
    )
  })

  it('guesses no permission for a service that is not known here', () => {
    const other = { ...CALL, rejections: findKind('es') }
    expect(hintFor('access-denied', other, '')).toBe("Allow the call in the policy of the function's role.")
    expect(hintFor('access-denied', other, 'User: x is not authorized to perform: es:ESHttpGet')).toBe(
      'Add this statement to the policy of x: {"Effect":"Allow","Action":"es:ESHttpGet","Resource":"arn:aws:es:*:*:*"}',
    )
    expect(hintFor('forbidden', other, '')).toContain('Check the permission to call it, the API key')
  })

  it('names both permissions of a service that requires two', () => {
    expect(hintFor('forbidden', { ...CALL, rejections: findKind('lambda') }, '')).toContain(
      'Check the permission lambda:InvokeFunctionUrl and lambda:InvokeFunction, the API key',
    )
  })

  it('says of an explicit deny that no allow will do', () => {
    const message =
      'User: arn:aws:iam::1:user/me is not authorized to perform: execute-api:Invoke on resource: arn:x with an explicit deny in an identity-based policy'
    expect(hintFor('access-denied', CALL, message)).toBe(
      'An explicit deny in an identity policy applies to arn:aws:iam::1:user/me. No allow overrides it: remove the deny, or exempt this caller from it.',
    )
    expect(hintFor('access-denied', CALL, 'an explicit deny in a resource-based policy')).toContain(
      'in a resource policy applies to the caller',
    )
    expect(hintFor('access-denied', CALL, 'explicit deny')).toContain(
      'An explicit deny in a policy applies to the caller',
    )
  })

  it('names the policy that lacks the permission, and a caller whose signature was lost', () => {
    const user =
      'User: arn:aws:iam::1:user/me is not authorized to perform: execute-api:Invoke on resource: arn:x because no'
    expect(
      hintFor('access-denied', CALL, `${user} resource-based policy allows the execute-api:Invoke action`),
    ).toContain('Add this statement to the resource policy, for arn:aws:iam::1:user/me: {')
    expect(hintFor('access-denied', CALL, `${user} session policy allows the execute-api:Invoke action`)).toContain(
      'Add this statement to the session policy, for',
    )
    expect(
      hintFor(
        'access-denied',
        CALL,
        'User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:x',
      ),
    ).toContain('treated the request as unsigned')
  })

  it('says of a missing token where the route should be', () => {
    expect(hintFor('missing-token', CALL, '')).toContain(
      'Check that POST /publish/blog exists and is deployed below https://h.example/prod',
    )
    expect(hintFor('missing-token', { ...CALL, method: 'GET', path: '/', url: undefined }, '')).toMatch(
      /Check that GET \/ exists and is deployed\.$/,
    )
  })

  const mismatch = (theirs: string) =>
    `... details.\n\nThe Canonical String for this request should have been\n'${theirs}'\n\nThe String-to-Sign should have been\n'AWS4'\n`
  const OURS = 'POST\n/prod/a\na=1\nhost:h\nx-amz-date:1\n\nhost;x-amz-date\nabc'

  it('shows where canonical requests differ, header by header', () => {
    const theirs = 'POST\n/prod/b\na=1\ncontent-type:t\nhost:h\nx-amz-date:1\n\nhost;x-amz-date\nabd'
    expect(hintFor('signature-mismatch', { ...CALL, canonicalRequest: OURS }, mismatch(theirs)).split('\n')).toEqual([
      'The canonical requests differ, so something changed the request on the way:',
      "  path: sent '/prod/a', the gateway received '/prod/b'",
      "  payload hash: sent 'abc', the gateway received 'abd'",
      "  header content-type: sent nothing, the gateway received 't'",
    ])
    const other = 'PUT\n/prod/a\na=1\nhost:h\nx-amz-date:1\n\nhost\nabc'
    expect(
      hintFor('signature-mismatch', { ...CALL, canonicalRequest: OURS }, mismatch(other))
        .split('\n')
        .slice(1),
    ).toEqual([
      "  method: sent 'POST', the gateway received 'PUT'",
      "  signed headers: sent 'host;x-amz-date', the gateway received 'host'",
    ])
    const all = hintFor('signature-mismatch', { ...CALL, canonicalRequest: OURS }, mismatch('1'))
    expect(all.split('\n').slice(1)).toEqual([
      "  method: sent 'POST', the gateway received '1'",
      "  path: sent '/prod/a', the gateway received nothing",
      "  query: sent 'a=1', the gateway received nothing",
      "  header host: sent 'h', the gateway received nothing",
      "  header x-amz-date: sent '1', the gateway received nothing",
    ])
  })

  it('names other possible causes if they agree, or cannot be compared', () => {
    expect(hintFor('signature-mismatch', { ...CALL, canonicalRequest: OURS }, mismatch(OURS))).toContain(
      'the secret access key does not belong to the access key',
    )
    expect(hintFor('signature-mismatch', CALL, mismatch(OURS))).toContain(
      'the secret access key does not belong to the access key',
    )
    const [before, after] = mismatch(OURS).split(OURS)
    for (const message of ['Forbidden', `${before}${OURS}`, `${OURS}${after}`]) {
      expect(hintFor('signature-mismatch', { ...CALL, canonicalRequest: OURS }, message)).toContain(
        'Something on the way changed the request',
      )
    }
  })

  it.each([
    ['signature-expired', /the response's Date header does not show this. Check the machine's clock/],
    ['signature-not-yet-current', /the response's Date header does not show this. Check the machine's clock/],
    ['expired-token', /The session token has expired, and the credential source returned no new credentials/],
    ['invalid-token', /AWS does not know the access key/],
    ['wrong-scope', /signed for the region 'eu-central-1' and the service 'execute-api'/],
    ['forbidden', /permission execute-api:Invoke, the API key, WAF/],
  ] as const)('of %s says what to check', (reason, expected) => {
    expect(hintFor(reason, CALL, '')).toMatch(expected)
  })
})

it('a hint about throttling distinguishes rate and quota', () => {
  expect(throttlingHint(true)).toMatch(
    /^The usage plan's quota is used up, so the call was not retried\. Raise the quota/,
  )
  expect(throttlingHint(false)).toMatch(/^The gateway rejected the call for its rate limit before any code ran\. Raise/)
})

it('a long hint and a long part of a canonical request are cut', () => {
  const named = (length: number) => hintFor('missing-token', { ...CALL, path: `/${'x'.repeat(length)}` }, '')
  const rest = named(0).length
  expect(named(4000 - rest)).toHaveLength(4000)
  expect(named(4000 - rest)).toMatch(/\.$/)
  expect(named(4001 - rest)).toBe(`${named(4001 - rest).slice(0, 4000)}...`)

  const differing = (length: number) =>
    hintFor(
      'signature-mismatch',
      { ...CALL, canonicalRequest: `GET\n/${'x'.repeat(length - 1)}\n\nhost:h\n\nhost\nabc` },
      "The Canonical String for this request should have been\n'GET\n/\n\nhost:h\n\nhost\nabc'\n\nThe String-to-Sign",
    )
  expect(differing(200)).toContain(`  path: sent '/${'x'.repeat(199)}', the gateway received '/'`)
  expect(differing(201)).toContain(`  path: sent '/${'x'.repeat(199)}...', the gateway received '/'`)
})

it('a hint about a changed Authorization header says so', () => {
  expect(hintFor('signature-mismatch', CALL, "'x' not a valid key=value pair (missing equal-sign)")).toBe(
    'Something on the way changed the Authorization header: the gateway did not receive the header that the client sent.',
  )
})

describe('a hint claims only what was tried:', () => {
  it.each([
    ['signature-expired', 'corrected clock', /even after one correction/],
    ['signature-not-yet-current', 'corrected clock', /even after one correction/],
    ['signature-expired', 'fresh signature', /and so was a second one. Look for a proxy or a queue/],
    ['signature-not-yet-current', 'fresh signature', /the response's Date header does not show this/],
    ['expired-token', 'other credentials', /the gateway also rejected the renewed credentials/],
  ] as const)('%s after %s', (reason, remedy, expected) => {
    const words = /one correction|fresh one|tried next/
    expect(hintFor(reason, { ...CALL, tried: new Set([remedy]) }, '')).toMatch(expected)
    expect(hintFor(reason, CALL, '')).not.toMatch(words)
  })
})

it('hints distinguish a wrong secret from a changed request, and show no secret', async () => {
  const gateway = await useGateway({ ai: { 'POST /x': {} } })
  const wrong = { ...IDENTITY, secretAccessKey: 'not-the-secret' }
  const { ai } = createServices({ services: ['ai'], credentials: wrong })
  const error = (await rejection(ai.post('x', { json: {} }))) as ServiceAuthError
  expect(error).toBeInstanceOf(ServiceAuthError)
  expect(error).toMatchObject({ code: 'ERR_SERVICE_AUTH', reason: 'signature-mismatch', statusCode: 502, status: 403 })
  expect(error.hint).toContain('the secret access key does not belong to the access key')

  const change: typeof fetch = (input, init) => fetch(`${String(input)}?added=1`, init)
  const tampered = (await rejection(
    createServices({ services: ['ai'], fetch: change }).ai.post('x', { json: {} }),
  )) as ServiceAuthError
  expect(tampered.hint).toContain("query: sent '', the gateway received 'added=1'")
  for (const shown of [error, tampered]) {
    expect(JSON.stringify(shown) + shown.message).not.toContain(IDENTITY.sessionToken)
  }
  expect(gateway.requests).toHaveLength(2)
})

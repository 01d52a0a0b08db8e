import { describe, expect, it } from 'vitest'
import {
  createServices,
  createSignedFetch,
  ServiceAuthError,
  ServiceResponseError,
  ServicesConfigurationError,
  type ServiceThrottledError,
} from '../../src/index.ts'
import { answer, IDENTITY, rejection, setEnv } from '../support/helpers.ts'

const SUFFIXES = ['amazonaws.com', 'api.aws', 'amazonaws.com.cn', 'amazonaws.eu', 'c2s.ic.gov', 'sc2s.sgov.gov']

/** Kind, its hosts with `%` for a region, signing name, and what a policy must allow. */
const KINDS: [kind: string, hosts: string[], signingName: string, action: string | string[]][] = [
  [
    'an API',
    [
      ...SUFFIXES.flatMap((suffix) => [`id.execute-api.%.${suffix}`, `id.execute-api-fips.%.${suffix}`]),
      'id-vpce-0a1b.execute-api.%.amazonaws.com',
      'vpce-0a1b-x7y8.execute-api.%.vpce.amazonaws.com',
      'vpce-0a1b-x7y8.execute-api.%.vpce.amazonaws.com.cn',
    ],
    'execute-api',
    'execute-api:Invoke',
  ],
  [
    'a function URL',
    ['abcdefghij.lambda-url.%.on.aws'],
    'lambda',
    ['lambda:InvokeFunctionUrl', 'lambda:InvokeFunction'],
  ],
  ['AppSync', SUFFIXES.map((suffix) => `id.appsync-api.%.${suffix}`), 'appsync', 'appsync:GraphQL'],
  ['VPC Lattice', ['jobs-01.7d67968.vpc-lattice-svcs.%.on.aws'], 'vpc-lattice-svcs', 'vpc-lattice-svcs:Invoke'],
]

const REGIONS = ['eu-central-1', 'us-gov-west-1', 'cn-north-1', 'eusc-de-east-1', 'us-iso-east-1', 'us-isob-east-1']

interface Sent {
  readonly url: string
  readonly headers: Headers
}

function call(url: string, respond: () => Promise<Response>, options: object = {}) {
  const sent: Sent[] = []
  const fetch: typeof globalThis.fetch = async (input, init) => {
    sent.push({ url: String(input), headers: new Headers(init?.headers) })
    return respond()
  }
  const { service } = createServices({
    services: { service: { url, ...options } },
    credentials: IDENTITY,
    retry: { delay: () => 0 },
    fetch,
  })
  return { sent, service }
}

const refuse =
  (type: string, body: object | string, status = 403) =>
  () =>
    answer(typeof body === 'string' ? body : JSON.stringify(body), {
      status,
      headers: { 'content-type': 'application/json', ...(type && { 'x-amzn-errortype': type }) },
    })

const cases = KINDS.flatMap(([kind, hosts, signingName, action]) =>
  hosts.flatMap((host) =>
    REGIONS.map((region) => ({ kind, host: host.replace('%', region), region, signingName, action })),
  ),
)

describe('each kind of service, by each form of its host', () => {
  it.each(cases)('$kind at $host', async ({ host, region, signingName, action }) => {
    setEnv({ AWS_REGION: 'us-west-2' })
    const denied = refuse('AccessDeniedException', {
      Message: 'User: arn:aws:sts::123456789012:assumed-role/r/f is not authorized to perform the call',
    })
    // In any case, and with a dot at its end.
    for (const form of [host, host.toUpperCase(), `${host}.`]) {
      const { sent, service } = call(`https://${form}/prod`, denied)
      const error = (await rejection(service.post('a b', { json: {} }))) as ServiceAuthError
      expect(new URL(sent[0]?.url as string).host).toBe(host)
      expect(sent[0]?.headers.get('authorization')).toContain(`/${region}/${signingName}/aws4_request`)
      const hash = sent[0]?.headers.get('x-amz-content-sha256')
      expect(hash).toMatch(signingName === 'vpc-lattice-svcs' ? /^UNSIGNED-PAYLOAD$/ : /^[\da-f]{64}$/)
      expect(error.reason).toBe('access-denied')
      expect(error.hint).toContain(`"Action":${JSON.stringify(action)}`)
    }
  })
})

describe('the path that is signed', () => {
  const pathOf = async (service: string, path: string) => {
    const urls: string[] = []
    const fetch: typeof globalThis.fetch = async (input) => {
      urls.push(String(input))
      return answer()
    }
    await createSignedFetch({ credentials: IDENTITY, region: 'us-east-1', service, fetch })(`https://h.example${path}`)
    return urls[0]?.replace('https://h.example', '')
  }

  it.each([
    ['s3', '/bucket//a//b', '/bucket//a//b'],
    ['s3', '/bucket/ä ö=1', '/bucket/%C3%A4%20%C3%B6%3D1'],
    ['s3-outposts', '/k//', '/k//'],
    ['execute-api', '/prod//a//b', '/prod/a/b'],
  ])('of %s at %s goes out as %s', async (service, path, expected) => {
    expect(await pathOf(service, path)).toBe(expected)
  })
})

describe('an AWS host that is not known', () => {
  const unknown = ['foo.us-west-2.amazonaws.com', 'x.y.api.aws', 'a.something.eu-west-1.on.aws', 'q.c2s.ic.gov']

  it.each(unknown)('%s is refused unless region and signing name are given', (host) => {
    setEnv({ AWS_REGION: 'eu-north-1' })
    for (const options of [{}, { region: 'us-west-2' }, { signingName: 'foo' }]) {
      const create = () => createServices({ services: { foo: { url: `https://${host}`, ...options } } })
      expect(create).toThrow(ServicesConfigurationError)
      expect(create).toThrow('services.foo.url: an AWS host of an unknown service: set region and signingName')
    }
    const { foo } = createServices({
      services: { foo: { url: `https://${host}`, region: 'us-west-2', signingName: 'foo' } },
    })
    expect(foo.url).toBe(`https://${host}/`)
  })
})

const API = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

describe('a refusal', () => {
  it.each([
    ["Credential should be scoped to a valid region, not 'eu-central-1'. ", 'region'],
    ["Credential should be scoped to correct service: 'lambda'. ", 'service'],
  ])('%s names what was signed', async (message) => {
    const { service, sent } = call(API, refuse('InvalidSignatureException', { message }))
    const error = (await rejection(service.get('x'))) as ServiceAuthError
    expect(error).toMatchObject({ name: 'ServiceAuthError', reason: 'wrong-scope' })
    expect(error.hint).toContain("signed for the region 'eu-central-1' and the service 'execute-api'")
    expect(sent).toHaveLength(1)
  })

  it.each([
    [401, { error: 'no session' }],
    [403, { message: 'You may not see this' }],
    [403, 'plain text'],
    [403, { Message: 'forbidden' }],
  ])('%i %j of the service itself is its own answer', async (status, body) => {
    const { service } = call(API, refuse('', body, status))
    const error = (await rejection(service.get('x'))) as ServiceResponseError
    expect(error).toBeInstanceOf(ServiceResponseError)
    expect(error).not.toBeInstanceOf(ServiceAuthError)
    expect(error).toMatchObject({ code: 'ERR_SERVICE_RESPONSE', status, data: body })
    expect(error.message).not.toMatch(/execute-api|polic|WAF/i)
  })

  it("is API Gateway's own where it says no more than Forbidden", async () => {
    const { service } = call(API, refuse('', { message: 'Forbidden' }))
    expect(await rejection(service.get('x'))).toMatchObject({ name: 'ServiceAuthError', reason: 'forbidden' })
  })

  it.each([
    [401, 'UnauthorizedException', 'Permission denied', 'access-denied'],
    [403, 'UnrecognizedClientException', 'The security token included in the request is invalid.', 'invalid-token'],
    [400, 'BadRequestException', "Credential should be scoped to a valid region, not 'x'.", 'wrong-scope'],
    [
      403,
      'AccessDeniedException',
      'User: a is not authorized to perform: appsync:GraphQL on resource: b',
      'access-denied',
    ],
  ])('of AppSync, %i %s, is read from its errors', async (status, errorType, message, reason) => {
    const url = 'https://id.appsync-api.eu-central-1.amazonaws.com/graphql'
    const { service } = call(url, refuse('', { errors: [{ errorType, message }] }, status))
    expect(await rejection(service.post('', { json: {} }))).toMatchObject({ name: 'ServiceAuthError', reason })
  })

  it.each([
    [400, 'MalformedHttpRequestException', 'Unable to parse GraphQL query.'],
    [400, 'BadRequestException', 'Request body too large'],
    [500, 'InternalFailure', 'An internal failure occurred'],
  ])('of AppSync is none where a query failed: %i %s', async (status, errorType, message) => {
    const data = { errors: [{ errorType, message }] }
    const { service } = call('https://id.appsync-api.eu-central-1.amazonaws.com/graphql', refuse('', data, status))
    const error = await rejection(service.post('', { json: {} }))
    expect(error).toMatchObject({ name: 'ServiceResponseError', code: 'ERR_SERVICE_RESPONSE', status, data })
    expect((error as Error).message).toContain(message)
    expect((error as Error).message).not.toContain('permission')
  })

  it('of AppSync for a wrong clock is healed', async () => {
    let count = 0
    const respond = () => {
      count += 1
      if (count > 1) return answer('{"data":{}}')
      return answer(
        JSON.stringify({ errors: [{ errorType: 'BadRequestException', message: 'Signature expired: a' }] }),
        {
          status: 403,
          headers: { 'content-type': 'application/json', date: new Date(Date.now() + 600_000).toUTCString() },
        },
      )
    }
    const { service } = call('https://id.appsync-api.eu-central-1.amazonaws.com/graphql', respond)
    expect(await service.post('', { json: {} }).json()).toEqual({ data: {} })
    expect(count).toBe(2)
  })
})

describe('too many calls', () => {
  const limit = refuse('LimitExceededException', { message: 'Limit Exceeded' }, 429)

  it('are a quota for an API: not retried, with advice', async () => {
    const { service, sent } = call(API, limit)
    const error = (await rejection(service.get('x'))) as ServiceThrottledError
    expect(error).toMatchObject({ name: 'ServiceThrottledError', quota: true, attempts: 1 })
    expect(error.hint).toContain('quota is used up')
    expect(error.message).toContain(error.hint as string)
    expect(sent).toHaveLength(1)
  })

  it('are a rate for @connections, whose POST is retried', async () => {
    const { service, sent } = call(API, limit)
    const error = (await rejection(service.post('@connections/abc=', { body: 'hi' }))) as ServiceThrottledError
    expect(error).toMatchObject({ quota: false, attempts: 3 })
    expect(sent).toHaveLength(3)
  })

  it('need execute-api:ManageConnections for @connections', async () => {
    const { service } = call(API, refuse('AccessDeniedException', { Message: 'no identity-based policy allows it' }))
    const error = (await rejection(service.post('@connections/abc'))) as ServiceAuthError
    expect(error.hint).toContain('"Action":"execute-api:ManageConnections"')
  })

  it('have no advice where the service itself asks for fewer', async () => {
    const { service } = call(API, refuse('', { message: 'slow down' }, 429), { retry: 0 })
    const error = (await rejection(service.get('x'))) as ServiceThrottledError
    expect(error).toMatchObject({ name: 'ServiceThrottledError', quota: false })
    expect(error.hint).toBeUndefined()
  })
})

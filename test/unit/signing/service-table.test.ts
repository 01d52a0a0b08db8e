import { describe, expect, it } from 'vitest'
import { createServices, ServicesConfigurationError } from '../../../src/index.ts'
import { findKind, regionCheck, resolveEndpoint, signingNameCheck } from '../../../src/signing/service-table.ts'
import { answer, IDENTITY, setEnv } from '../../support/helpers.ts'

const ANY = 'host;x-amz-content-sha256;x-amz-date;x-amz-security-token'

/** Endpoint kind, base URL, options of the service, credential scope, headers that are sent beside the signed ones. */
const kinds: [kind: string, url: string, options: object, scope: string][] = [
  ['REST or HTTP API', 'https://abc123.execute-api.eu-central-1.amazonaws.com/prod', {}, 'eu-central-1/execute-api'],
  ['GovCloud', 'https://abc123.execute-api.us-gov-west-1.amazonaws.com/prod', {}, 'us-gov-west-1/execute-api'],
  ['China', 'https://abc123.execute-api.cn-north-1.amazonaws.com.cn/prod', {}, 'cn-north-1/execute-api'],
  ['EU sovereign', 'https://abc123.execute-api.eusc-de-east-1.amazonaws.eu/prod', {}, 'eusc-de-east-1/execute-api'],
  ['private API', 'https://abc123-vpce-0a1b2c.execute-api.us-east-1.amazonaws.com/prod', {}, 'us-east-1/execute-api'],
  [
    'VPC endpoint',
    'https://vpce-0a1b-x7y8.execute-api.us-east-1.vpce.amazonaws.com/prod',
    { headers: { 'x-apigw-api-id': 'abc123' } },
    'us-east-1/execute-api',
  ],
  [
    'VPC endpoint of a zone',
    'https://vpce-0a1b-x7y8-us-east-1a.execute-api.us-east-1.vpce.amazonaws.com/prod',
    {},
    'us-east-1/execute-api',
  ],
  ['function URL', 'https://abcdefghij.lambda-url.ap-south-1.on.aws', {}, 'ap-south-1/lambda'],
  ['VPC Lattice', 'https://jobs-0123.7d67968.vpc-lattice-svcs.us-west-2.on.aws', {}, 'us-west-2/vpc-lattice-svcs'],
  ['AppSync', 'https://abcdef.appsync-api.us-east-2.amazonaws.com/graphql', {}, 'us-east-2/appsync'],
  ['custom domain', 'https://api.example.com/v1', {}, 'eu-north-1/execute-api'],
  ['custom domain with a region', 'https://api.example.com/v1', { region: 'sa-east-1' }, 'sa-east-1/execute-api'],
  ['custom domain of AppSync', 'https://api.example.com/graphql', { signingName: 'appsync' }, 'eu-north-1/appsync'],
  [
    'host, confirmed by options',
    'https://abc123.execute-api.eu-central-1.amazonaws.com',
    { region: 'eu-central-1', signingName: 'execute-api' },
    'eu-central-1/execute-api',
  ],
]

describe('a call to each kind of endpoint', () => {
  it.each(kinds)('%s %s has its credential scope and signed headers', async (kind, url, options, scope) => {
    setEnv({ AWS_REGION: 'eu-north-1' })
    const sent: { url: string; headers: Headers }[] = []
    const fetch: typeof globalThis.fetch = async (input, init) => {
      sent.push({ url: String(input), headers: new Headers(init?.headers) })
      return answer()
    }
    const { service } = createServices({ services: { service: { url, ...options } }, credentials: IDENTITY, fetch })
    await service.get('jobs')
    await service.post('jobs', { json: { a: 1 } })
    for (const [index, { headers }] of sent.entries()) {
      const authorization = headers.get('authorization')
      expect(authorization).toContain(`Credential=${IDENTITY.accessKeyId}/`)
      expect(authorization).toContain(`/${scope}/aws4_request,`)
      expect(authorization).toContain(`SignedHeaders=${index === 0 ? ANY : `content-type;${ANY}`},`)
      const hash = headers.get('x-amz-content-sha256')
      expect(hash).toMatch(kind === 'VPC Lattice' ? /^UNSIGNED-PAYLOAD$/ : /^[\da-f]{64}$/)
      expect(headers.get('x-apigw-api-id')).toBe(kind === 'VPC endpoint' ? 'abc123' : null)
    }
    expect(sent.map((one) => one.url)).toEqual([`${url}/jobs`, `${url}/jobs`])
  })

  it('sends an empty path to the very URL, as GraphQL needs it', async () => {
    const urls: unknown[] = []
    const fetch: typeof globalThis.fetch = async (input) => {
      urls.push(input)
      return answer()
    }
    const url = 'https://abcdef.appsync-api.us-east-2.amazonaws.com/graphql'
    const { service } = createServices({ services: { service: url }, credentials: IDENTITY, fetch })
    await service.post('', { json: { query: '{ jobs }' } })
    await service.fetch(url)
    expect(urls).toEqual([url, url])
  })
})

describe('resolveEndpoint', () => {
  it.each([
    'execute-api.us-east-1.amazonaws.com',
    'a.b.execute-api.us-east-1.amazonaws.com',
    'a.b.execute-api.us-east-1.vpce.amazonaws.com',
    'a.b.lambda-url.us-east-1.on.aws',
    'vpc-lattice-svcs.us-west-2.on.aws',
    '.jobs.vpc-lattice-svcs.us-west-2.on.aws',
    'a.b.appsync-api.us-east-1.amazonaws.com',
    'abc123.execute-api.us-east.amazonaws.com',
  ])('takes %s for none of the kinds that it resembles', (host) => {
    expect(resolveEndpoint(host, { defaultRegion: 'eu-north-1' })).toMatch(/^an AWS host of an unknown service/)
  })

  it.each([
    'abc123.execute-api.us-east-1.amazonaws.com.evil.example',
    'vpce-0.execute-api.us-east-1.vpce.amazonaws.com.evil.example',
    'abc.lambda-url.us-east-1.on.aws.evil.example',
    'jobs.vpc-lattice-svcs.us-west-2.on.aws.evil.example',
    'abc.appsync-api.us-east-1.amazonaws.com.evil.example',
    'notamazonaws.com',
  ])('takes %s for a custom domain', (host) => {
    expect(resolveEndpoint(host, { defaultRegion: 'eu-north-1' })).toEqual({
      region: 'eu-north-1',
      signingName: 'execute-api',
    })
  })

  it.each([
    's3.us-east-1.amazonaws.com',
    'bucket.s3.us-east-1.amazonaws.com',
    'a.bucket.s3-fips.us-east-1.amazonaws.com',
    'bucket.s3.dualstack.us-east-1.amazonaws.com',
  ])('takes %s for S3', (host) => {
    expect(resolveEndpoint(host, {})).toEqual({ region: 'us-east-1', signingName: 's3' })
  })

  it('lets an option of a custom domain win over the default', () => {
    expect(resolveEndpoint('api.example.com', { region: 'a', defaultRegion: 'b', signingName: 'c' })).toEqual({
      region: 'a',
      signingName: 'c',
    })
  })

  it('guesses no region', () => {
    expect(resolveEndpoint('api.example.com', {})).toBe('the host name contains no region, and AWS_REGION is not set')
    setEnv({ AWS_REGION: undefined })
    expect(() => createServices({ services: { api: 'https://api.example.com' } })).toThrow(ServicesConfigurationError)
  })

  it.each([
    [{ region: 'us-east-2' }, "the host's region is 'us-east-1', but the option says 'us-east-2'"],
    [{ signingName: 'execute-api' }, "the host's signingName is 'lambda', but the option says 'execute-api'"],
  ])('refuses a contradiction, %o', (options, problem) => {
    expect(resolveEndpoint('abc.lambda-url.us-east-1.on.aws', options)).toBe(problem)
  })
})

describe('findKind', () => {
  it.each(['s3', 's3-object-lambda', 's3-outposts', 's3express'])(
    'signs %s with a path that is encoded once',
    (name) => {
      expect(findKind(name).pathEncoding).toBe('once')
    },
  )

  it('signs an unknown service by the usual rules', () => {
    expect(findKind('sqs')).toEqual({
      signingName: 'sqs',
      hosts: [],
      pathEncoding: 'twice',
      payload: 'signed',
      actions: [],
      limitExceeded: 'throttled',
    })
  })
})

describe('the checks of region and signing name', () => {
  const problemsOf = (check: typeof regionCheck, value: unknown) => {
    const problems: string[] = []
    check(value, 'option', problems)
    return problems
  }

  it.each([
    ['eu-central-1', true],
    [' us-gov-west-1\n', true],
    ['Frankfurt', false],
    ['', false],
    [5, false],
    [null, false],
    [['eu-central-1'], false],
  ])('the region %j is accepted: %s', (region, isAccepted) => {
    expect(problemsOf(regionCheck, region).length === 0).toBe(isAccepted)
  })

  it.each([
    ['execute-api', true],
    ['a b', false],
    ['', false],
    [5, false],
    [null, false],
    [['lambda'], false],
  ])('the signing name %j is accepted: %s', (name, isAccepted) => {
    expect(problemsOf(signingNameCheck, name).length === 0).toBe(isAccepted)
  })
})

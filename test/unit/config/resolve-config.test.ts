import { describe, expect, it } from 'vitest'
import { resolveConfig } from '../../../src/config/resolve-config.ts'
import { type SignedServicesOptions, signedServicesValidateOptions } from '../../../src/index.ts'
import { IDENTITY, rejection } from '../../support/helpers.ts'

const HOST = 'https://id.execute-api.eu-central-1.amazonaws.com'
const ENV = {
  AI_SERVICE_API_URL: `${HOST}/ai`,
  INTEGRATION_SERVICE_API_URL: `${HOST}/integration`,
  BACKGROUND_SERVICE_API_URL: `${HOST}/background`,
  ADMIN_SERVICE_API_URL: `${HOST}/admin`,
}
const attempt = (options: unknown, env: NodeJS.ProcessEnv = ENV) => {
  try {
    resolveConfig(options as SignedServicesOptions, env)
  } catch (error) {
    return error as Error & { problems: string[] }
  }
  throw new Error('nothing was thrown')
}

describe('signedServicesValidateOptions', () => {
  it.each([
    [undefined],
    [{}],
    [{ services: ['ai', 'userProfile'] }],
    [{ pendingCalls: 'await', headers: { 'x-authorization': 'a', 'host-name': 'b' } }],
    [{ retry: { maxRetryAfter: 0, backoffLimit: 0, retryOnTimeout: true, shouldRetry: () => true } }],
    [
      {
        services: {
          ai: `${HOST}/prod`,
          other: {},
          third: { url: undefined, env: 'X', optional: true, signingName: 'appsync' },
        },
      },
    ],
    [{ region: 'eu-central-1', timeout: 1000, deadlineMargin: 0, trace: false, headers: { a: 'b' }, fetch }],
    [{ credentials: IDENTITY, retry: 0 }],
    [{ circuitBreaker: true, pendingCalls: 500, logger: console, onCall: () => {} }],
    [
      {
        circuitBreaker: { failureThreshold: 1, resetTimeout: 5 },
        pendingCalls: 'ignore',
        services: { ai: { circuitBreaker: false } },
      },
    ],
    [{ credentials: async () => IDENTITY, retry: { limit: 3, methods: ['get'], jitter: true, delay: () => 1 } }],
    [{ services: { ai: { internal: 'ssm.url', credentials: 'sts' } }, credentials: 'other' }],
    [{ services: { ai: { retry: 5, timeout: 1, credentials: IDENTITY, headers: {}, region: 'x' } } }],
  ] as [SignedServicesOptions | undefined][])('takes %o', (options) => {
    expect(signedServicesValidateOptions(options)).toBeUndefined()
  })

  it.each([
    [{ timout: 1 }, "Unknown option 'timout'"],
    [{ services: { ai: { timout: 1 } } }, "Unknown option 'services.ai.timout'"],
    [{ services: { ai: { url: 5 } } }, "Option 'services.ai.url' must be string"],
    [{ services: { ai: 5 } }, "Option 'services.ai' must be object"],
    [{ services: { ai: null } }, "Option 'services.ai' must be object"],
    [{ services: 'ai' }, "Option 'services' must be a list of names or an object"],
    [{ services: new Map([['ai', {}]]) }, "Option 'services' must be a list of names or an object"],
    [{ services: { ai: new Map() } }, "Option 'services.ai' must be object"],
    [{ services: ['ai', 5] }, "Option 'services[1]' must be string"],
    [{ services: [''] }, "Option 'services' has a name that does not start with a letter: ''"],
    [{ services: { '1ai': {} } }, "Option 'services' has a name that does not start with a letter: '1ai'"],
    [{ timeout: 0 }, "Option 'timeout' must be > 0"],
    [{ timeout: 2 ** 31 }, "Option 'timeout' must be <= 2147483647"],
    [{ timeout: '1s' }, "Option 'timeout' must be number"],
    [{ deadlineMargin: -1 }, "Option 'deadlineMargin' must be >= 0"],
    [{ retry: -1 }, "Option 'retry.limit' must be >= 0"],
    [{ retry: { limits: 1 } }, "Unknown option 'retry.limits'"],
    [{ retry: { maxRetryAfter: '1' } }, "Option 'retry.maxRetryAfter' must be number"],
    [{ retry: { maxRetryAfter: -1 } }, "Option 'retry.maxRetryAfter' must be >= 0"],
    [{ retry: { backoffLimit: '1' } }, "Option 'retry.backoffLimit' must be number"],
    [{ retry: { backoffLimit: -1 } }, "Option 'retry.backoffLimit' must be >= 0"],
    [{ retry: { retryOnTimeout: 1 } }, "Option 'retry.retryOnTimeout' must be boolean"],
    [{ retry: { shouldRetry: true } }, "Option 'retry.shouldRetry' must be instanceof Function"],
    [{ services: { ai: { retry: { methods: 'get' } } } }, "Option 'services.ai.retry.methods' must be array"],
    [{ trace: 'yes' }, "Option 'trace' must be boolean"],
    [{ fetch: {} }, "Option 'fetch' must be instanceof Function"],
    [{ region: '' }, "Option 'region' must have length >= 1"],
    [{ credentials: { accessKeyId: 'hunter2' } }, "Option 'credentials' must match exactly one schema in oneOf"],
    [
      { credentials: { accessKeyId: 'a', secretAccessKey: 5 } },
      "Option 'credentials' must match exactly one schema in oneOf",
    ],
    [
      { credentials: { accessKeyId: 5, secretAccessKey: 'a' } },
      "Option 'credentials' must match exactly one schema in oneOf",
    ],
    [
      { services: { ai: { credentials: 5 } } },
      "Option 'services.ai.credentials' must match exactly one schema in oneOf",
    ],
    [{ credentials: '' }, "Option 'credentials' must match exactly one schema in oneOf"],
    [{ services: { ai: { internal: 5 } } }, "Option 'services.ai.internal' must be string"],
    [{ circuitBreaker: { failureThreshold: 0 } }, "Option 'circuitBreaker' must match exactly one schema in oneOf"],
    [
      { services: { ai: { circuitBreaker: 1 } } },
      "Option 'services.ai.circuitBreaker' must match exactly one schema in oneOf",
    ],
    [{ pendingCalls: 'abort' }, "Option 'pendingCalls' must match exactly one schema in oneOf"],
    [{ logger: { info() {}, warn() {} } }, "Missing required option 'logger.error'"],
    [{ logger: { info: 'x', warn() {}, error() {} } }, "Option 'logger.info' must be instanceof Function"],
    [{ logger: { info() {}, warn: 'x', error() {} } }, "Option 'logger.warn' must be instanceof Function"],
    [{ logger: { info() {}, warn() {}, error: 'x' } }, "Option 'logger.error' must be instanceof Function"],
    [{ onCall: 'x' }, "Option 'onCall' must be instanceof Function"],
    [{ headers: { a: 1 } }, "Option 'headers.a' must be string"],
    [{ headers: { Authorization: 'hunter2' } }, "Option 'headers.Authorization' is the signature's own"],
    [{ services: { ai: { headers: { 'a b': 'hunter2' } } } }, "Option 'services.ai.headers.a b' is not a valid header"],
    [{ headers: new Headers({ a: 'b' }) }, "Option 'headers' must be a plain object"],
    [{ services: { ai: { headers: new Map() } } }, "Option 'services.ai.headers' must be a plain object"],
    [{ headers: { Host: 'evil.example' } }, "Option 'headers.Host' is the signature's own"],
    [[], 'options must be an object'],
    [null, 'options must be an object'],
  ])('refuses %o: %s', (options, message) => {
    const error = attempt(options)
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toBe(message)
    expect(error.cause).toEqual({ package: 'middy-signed-services' })
    expect(() => signedServicesValidateOptions(options as SignedServicesOptions)).toThrow(error)
  })
})

describe('resolveConfig', () => {
  it('takes the four services from their variables', () => {
    const { services } = resolveConfig(undefined, ENV)
    expect([...services.keys()]).toEqual(['ai', 'integration', 'background', 'admin'])
    expect(services.get('admin')).toMatchObject({
      name: 'admin',
      base: { href: `${HOST}/admin` },
      region: 'eu-central-1',
      signingName: 'execute-api',
      timeout: 30_000,
      retry: undefined,
      headers: {},
    })
  })

  it('lets a service win over the common options, and options over host and environment', async () => {
    const own = { accessKeyId: 'OWN', secretAccessKey: 's' }
    const { services, trace, deadlineMargin, pendingCalls } = resolveConfig(
      {
        services: {
          ai: {
            url: 'https://ai.example.com',
            timeout: 5,
            region: 'us-east-2',
            headers: { b: '3' },
            retry: 1,
            credentials: own,
            signingName: 'appsync',
          },
          other: 'https://other.example.com',
          third: { env: 'THIRD_URL' },
        },
        timeout: 7,
        region: 'us-west-2',
        headers: { a: '1', b: '2' },
        retry: { limit: 9 },
        credentials: IDENTITY,
        trace: false,
        deadlineMargin: 5,
        pendingCalls: 'ignore',
      },
      { ...ENV, THIRD_URL: '\u00a0https://api.example.com ' },
    )
    expect({ trace, deadlineMargin, pendingCalls }).toEqual({ trace: false, deadlineMargin: 5, pendingCalls: 'ignore' })
    expect(services.get('ai')).toMatchObject({
      timeout: 5,
      region: 'us-east-2',
      headers: { a: '1', b: '3' },
      retry: { limit: 1 },
      signingName: 'appsync',
    })
    expect(await services.get('ai')?.credentials.get()).toEqual(own)
    expect(services.get('other')).toMatchObject({
      timeout: 7,
      region: 'us-west-2',
      headers: { a: '1', b: '2' },
      retry: { limit: 9 },
    })
    expect(await services.get('other')?.credentials.get()).toEqual(IDENTITY)
    expect(services.get('third')?.base?.href).toBe('https://api.example.com/')
  })

  it('finds the region of a custom domain in AWS_REGION', () => {
    const env = { AI_SERVICE_API_URL: 'https://ai.example.com', AWS_REGION: 'ap-south-1' }
    expect(resolveConfig({ services: ['ai'] }, env).services.get('ai')?.region).toBe('ap-south-1')
  })

  it('compares names of headers as HTTP does', () => {
    const options = {
      services: { ai: { headers: { 'X-team': 'own' } } },
      headers: { 'x-Team': 'common', 'X-Other': 'o' },
    }
    expect(resolveConfig(options, ENV).services.get('ai')?.headers).toEqual({ 'x-team': 'own', 'x-other': 'o' })
  })

  it('keeps a copy of what could be changed later', () => {
    const retry = { limit: 1, methods: ['get'], statusCodes: [503], afterStatusCodes: [503] }
    const { services } = resolveConfig({ services: ['ai'], retry }, ENV)
    retry.limit = 9
    for (const list of [retry.methods, retry.statusCodes, retry.afterStatusCodes]) list.length = 0
    expect(services.get('ai')?.retry).toEqual({
      limit: 1,
      methods: ['get'],
      statusCodes: [503],
      afterStatusCodes: [503],
    })
  })

  it('is made anew of internal values only where one of them has changed', () => {
    const { withInternals } = resolveConfig({ services: { ai: { internal: 'a' }, admin: { internal: 'b' } } }, {})
    const values = (a: string, b: string) =>
      new Map([
        ['a', `${HOST}/${a}`],
        ['b', `${HOST}/${b}`],
      ])
    const first = withInternals(values('1', '1'))
    expect(withInternals(values('1', '1'))).toBe(first)
    expect(withInternals(values('1', '2')).get('admin')?.base?.path).toBe('/2')
  })

  it('is frozen, as it is shared by invocations', () => {
    const config = resolveConfig(undefined, ENV)
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.services.get('ai'))).toBe(true)
  })

  it('lists everything that is wrong with the environment in one error', () => {
    const error = attempt(
      {
        services: {
          ai: {},
          integration: {},
          background: {},
          admin: {},
          own: 'ftp://user:hunter2@h',
          custom: { env: 'CUSTOM' },
        },
      },
      {
        INTEGRATION_SERVICE_API_URL: 'https://user:hunter2@h.example',
        BACKGROUND_SERVICE_API_URL: '  ',
        ADMIN_SERVICE_API_URL: `${HOST}?x=hunter2`,
        CUSTOM: 'https://custom.example.com',
        AWS_REGION: '',
      },
    )
    expect(error).toMatchObject({
      name: 'ServicesConfigurationError',
      code: 'ERR_SERVICES_CONFIG',
      problems: [
        'AI_SERVICE_API_URL: API Gateway URL not set',
        'INTEGRATION_SERVICE_API_URL: must not hold credentials',
        'BACKGROUND_SERVICE_API_URL: API Gateway URL not set',
        'ADMIN_SERVICE_API_URL: must not hold a query or a fragment',
        'services.own.url: must start with https:// (http:// only for loopback hosts)',
        'CUSTOM: the host names no region, and AWS_REGION is not set',
      ],
    })
    for (const problem of error.problems) expect(error.message).toContain(problem)
    expect(error.message).toContain("signedServices({ services: ['ai'] })")
    expect(error.message).not.toContain('hunter2')
  })

  it('lists contradictions between host and options', () => {
    const services = {
      ai: { region: 'eu-west-1' },
      integration: { signingName: 'lambda' },
      background: {},
      admin: { region: 'eu-central-1' },
    }
    expect(attempt({ services }).problems).toEqual([
      "AI_SERVICE_API_URL: the host's region is 'eu-central-1', but the option says 'eu-west-1'",
      "INTEGRATION_SERVICE_API_URL: the host's signingName is 'execute-api', but the option says 'lambda'",
    ])
  })

  it('leaves a missing URL of an optional service, but nothing else, to the first call', () => {
    const { services } = resolveConfig({ services: { ai: { optional: true } } }, {})
    expect(services.get('ai')?.base).toBeUndefined()
    expect(services.get('ai')).toMatchObject({ region: '', signingName: '' })
    expect(attempt({ services: { ai: { optional: true } } }, { AI_SERVICE_API_URL: 'nope' }).problems).toEqual([
      'AI_SERVICE_API_URL: not a URL',
    ])
  })
})

it('rejection() itself fails for a promise that does not reject', async () => {
  await expect(rejection(Promise.resolve(1))).rejects.toThrow('resolved with 1')
})

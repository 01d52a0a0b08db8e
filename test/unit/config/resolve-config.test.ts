import { describe, expect, it } from 'vitest'
import { resolveConfig, signedServicesValidateOptions } from '../../../src/config/resolve-config.ts'
import type { SignedServicesOptions } from '../../../src/index.ts'
import { IDENTITY, rejection, setEnv } from '../../support/helpers.ts'

const HOST = 'https://id.execute-api.eu-central-1.amazonaws.com'
const ENV = {
  AI_SERVICE_API_URL: `${HOST}/ai`,
  INTEGRATION_SERVICE_API_URL: `${HOST}/integration`,
  BACKGROUND_SERVICE_API_URL: `${HOST}/background`,
  ADMIN_SERVICE_API_URL: `${HOST}/admin`,
}
const resolve = (options: SignedServicesOptions | undefined, env: NodeJS.ProcessEnv = ENV) =>
  resolveConfig(options, 'signedServices', env)
const attempt = (options: unknown, env?: NodeJS.ProcessEnv) => {
  try {
    resolve(options as SignedServicesOptions, env)
  } catch (error) {
    return error as Error & { problems: string[] }
  }
  throw new Error('nothing was thrown')
}

/** The configuration of the service `ai`, or what is wrong with it. */
const ai = (own: object, common: object = {}, env?: NodeJS.ProcessEnv) =>
  resolve({ services: { ai: own }, ...common }, env).services.get('ai')
const wrong = (own: object, common: object = {}, env?: NodeJS.ProcessEnv) =>
  attempt({ services: { ai: own }, ...common }, env).problems

describe('resolveConfig', () => {
  it('takes the four services from their variables', () => {
    const { services } = resolve(undefined)
    expect([...services.keys()]).toEqual(['ai', 'integration', 'background', 'admin'])
    expect(services.get('admin')).toMatchObject({
      name: 'admin',
      base: { href: `${HOST}/admin` },
      region: 'eu-central-1',
      signingName: 'execute-api',
      timeout: 30_000,
      idleTimeout: undefined,
      maxResponseSize: 16_777_216,
      maxConnections: undefined,
      retry: undefined,
      headers: {},
      fetch: undefined,
      circuitBreaker: false,
      host: undefined,
    })
  })

  it('reads the environment of the process, and names the factory in a message', () => {
    setEnv(ENV)
    expect(resolveConfig().services.size).toBe(4)
    expect(() => resolveConfig({ timeOut: 1 } as object)).toThrow(
      'timeOut: no such option of signedServices; did you mean timeout?',
    )
  })

  it('keeps the options that concern no single service, or their defaults', () => {
    const logger = console
    const onCall = () => {}
    expect(resolve(undefined)).toMatchObject({
      deadlineMargin: 200,
      pendingCalls: 1000,
      trace: true,
      logger: undefined,
      onCall: undefined,
    })
    expect(resolve({ deadlineMargin: 0, pendingCalls: 0, trace: true, logger, onCall })).toMatchObject({
      deadlineMargin: 0,
      pendingCalls: 0,
      trace: true,
      logger,
      onCall,
    })
  })

  it.each<[string, unknown, unknown]>([
    ['timeout', 5, 7],
    ['idleTimeout', 5, 7],
    ['maxResponseSize', 5, 7],
    ['maxConnections', 5, 7],
    ['retry', { limit: 5 }, { limit: 7 }],
    ['circuitBreaker', { failureThreshold: 5 }, { failureThreshold: 7 }],
  ])('takes %s from the service, else from the common options', (name, own, common) => {
    expect(ai({ [name]: own }, { [name]: common })).toMatchObject({ [name]: own })
    expect(ai({ [name]: own })).toMatchObject({ [name]: own })
    expect(ai({}, { [name]: common })).toMatchObject({ [name]: common })
  })

  it.each(['timeout', 'maxResponseSize', 'circuitBreaker'])('takes a %s of false as a value', (name) => {
    expect(ai({ [name]: false }, { [name]: 5, circuitBreaker: name === 'circuitBreaker' })).toMatchObject({
      [name]: false,
    })
  })

  it('lets a service win over the common options, and options over host and environment', async () => {
    const own = { accessKeyId: 'OWN', secretAccessKey: 's' }
    const { services, trace, deadlineMargin, pendingCalls } = resolve(
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
    expect(resolve({ services: ['ai'] }, env).services.get('ai')?.region).toBe('ap-south-1')
    expect(ai({}, {}, { ...env, AWS_REGION: ' ap-south-1\n' })?.region).toBe('ap-south-1')
  })

  it.each([
    ['hunter2', 'AWS_REGION: must be a region such as eu-central-1'],
    ['  ', 'AI_SERVICE_API_URL: the host name contains no region, and AWS_REGION is not set'],
  ])('needs a region in AWS_REGION only for a host without one: %j', (AWS_REGION, problem) => {
    expect(wrong({}, {}, { AI_SERVICE_API_URL: 'https://ai.example.com', AWS_REGION })).toEqual([problem])
    expect(ai({}, {}, { ...ENV, AWS_REGION })?.region).toBe('eu-central-1')
    expect(ai({ url: 'https://ai.example.com', region: 'eu-west-1' }, {}, { AWS_REGION })?.region).toBe('eu-west-1')
  })

  it.each<[string, object, object]>([
    ['the service', { allowHttp: true }, {}],
    ['the service against the common options', { allowHttp: true }, { allowHttp: false }],
    ['all services', {}, { allowHttp: true }],
  ])('allows plain http only if an option of %s does', (_, own, common) => {
    const url = 'http://ai.example.com'
    const problem =
      'services.ai.url: must start with https:// (http:// only for loopback hosts, or with the option allowHttp)'
    expect(ai({ url, ...own }, { region: 'eu-west-1', ...common })?.base?.href).toBe(`${url}/`)
    expect(wrong({ url }, { region: 'eu-west-1' })).toEqual([problem])
    expect(wrong({ url, allowHttp: false }, { region: 'eu-west-1', ...common })).toEqual([problem])
  })

  it.each([
    ['ID.execute-api.eu-west-1.AmazonAWS.com', 'id.execute-api.eu-west-1.amazonaws.com'],
    ['id.execute-api.eu-west-1.amazonaws.com.', 'id.execute-api.eu-west-1.amazonaws.com'],
    ['id.execute-api.eu-west-1.amazonaws.com:8443', 'id.execute-api.eu-west-1.amazonaws.com:8443'],
    ['id.execute-api.eu-west-1.amazonaws.com.:8443', 'id.execute-api.eu-west-1.amazonaws.com:8443'],
  ])('signs for the host %s instead of that of the URL', (host, normalized) => {
    expect(ai({ url: 'https://tunnel.example:9443/ai', host }, {}, {})).toMatchObject({
      host: normalized,
      region: 'eu-west-1',
      signingName: 'execute-api',
      base: { origin: 'https://tunnel.example:9443' },
    })
  })

  it('takes another host, or a function that sends requests, but not both', () => {
    const host = 'id.execute-api.eu-west-1.amazonaws.com'
    expect(ai({ host })).toMatchObject({ host, fetch: undefined })
    expect(ai({}, { fetch })).toMatchObject({ host: undefined, fetch })
    expect(wrong({ host }, { fetch })).toEqual([
      'services.ai.host: cannot be combined with the option fetch, which cannot send another Host header',
    ])
  })

  it.each<[string, object, string[]]>([
    ['region', { region: 5 }, ['region']],
    ['allowHttp', { region: 'eu-west-1', allowHttp: 5 }, ['allowHttp']],
    ['another option', { timeout: 0 }, ['timeout', 'services.ai.url', 'services.other.url']],
  ])('names a problem of a URL that does not follow from a mistake in %s', (_, common, paths) => {
    const url = 'allowHttp' in common ? 'http://ai.example.com' : 'https://ai.example.com'
    const problems = attempt({ services: { ai: url, other: url }, ...common }, {}).problems
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(paths)
  })

  it('compares names of headers as HTTP does', () => {
    const options = {
      services: { ai: { headers: { 'X-team': 'own' } } },
      headers: { 'x-Team': 'common', 'X-Other': 'o' },
    }
    expect(resolve(options).services.get('ai')?.headers).toEqual({ 'x-team': 'own', 'x-other': 'o' })
  })

  it('copies values that could be changed later', () => {
    const retry = { limit: 1, methods: ['get'], statusCodes: [503], afterStatusCodes: [503] }
    const { services } = resolve({ services: ['ai'], retry })
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
    const { withInternals } = resolve({ services: { ai: { internal: 'a' }, admin: { internal: 'b' } } }, {})
    const values = (a: string, b: string) =>
      new Map([
        ['a', `${HOST}/${a}`],
        ['b', `${HOST}/${b}`],
      ])
    const first = withInternals(values('1', '1'))
    expect(withInternals(values('1', '1'))).toBe(first)
    expect(withInternals(values('1', '2')).get('admin')?.base?.path).toBe('/2')
  })

  it('is made of internal values in each invocation', async () => {
    const other = { accessKeyId: 'OTHER', secretAccessKey: 's' }
    const keys = { AWS_ACCESS_KEY_ID: 'OF-ENVIRONMENT', AWS_SECRET_ACCESS_KEY: 's' }
    const { internals, services, withInternals } = resolve(
      {
        services: { ai: { internal: 'url', credentials: 'role' }, admin: {}, own: { url: HOST, credentials: other } },
        credentials: 'common',
      },
      { ...ENV, ...keys },
    )
    expect([...internals]).toEqual([
      ['common', 'credentials'],
      ['url', 'services.ai.internal'],
      ['role', 'services.ai.credentials'],
    ])
    expect(services.get('ai')).toMatchObject({
      region: '',
      urlMissing: "internal value 'url': API Gateway URL not set",
    })
    expect(services.get('ai')?.base).toBeUndefined()
    const configured = withInternals(
      new Map<string, unknown>([
        ['url', ` ${HOST}/of-internal `],
        ['role', IDENTITY],
        ['common', { ...IDENTITY, accessKeyId: 'COMMON' }],
      ]),
    )
    expect(configured.get('ai')).toMatchObject({ base: { href: `${HOST}/of-internal` }, region: 'eu-central-1' })
    expect(await configured.get('ai')?.credentials.get()).toEqual(IDENTITY)
    expect(await configured.get('admin')?.credentials.get()).toEqual({ ...IDENTITY, accessKeyId: 'COMMON' })
    expect(await configured.get('own')?.credentials.get()).toEqual(other)
  })

  it('needs no internal values that no option names', () => {
    const { internals } = resolve({ services: { ai: { credentials: IDENTITY } }, credentials: async () => IDENTITY })
    expect([...internals]).toEqual([])
  })

  it('lists everything that is wrong with internal values in one error', () => {
    const { withInternals } = resolve({
      services: {
        ai: { internal: 'a' },
        admin: { internal: 'b', optional: true },
        other: { internal: 'c', url: HOST },
      },
      credentials: 'role',
    })
    const values = new Map<string, unknown>([
      ['c', 'nope'],
      ['role', { accessKeyId: 'a', secretAccessKey: 'hunter2\n' }],
    ])
    expect(() => withInternals(values)).toThrow(
      expect.objectContaining({
        problems: [
          "internal value 'a': API Gateway URL not set",
          "internal value 'role': secretAccessKey is missing or not printable ASCII",
          "internal value 'c': https:// is missing",
        ],
      }),
    )
  })

  it('tells how to name fewer services where none are named', () => {
    const advice = "If the function needs fewer services, name them: signedServices({ services: ['ai'] })"
    for (const options of [undefined, {}, { services: undefined }]) {
      expect(attempt(options, {}).message.split('\n').at(-1)).toBe(advice)
    }
    expect(attempt({ services: ['ai'] }, {}).message).not.toContain(advice)
  })

  it('is frozen, because invocations share it', () => {
    const config = resolve(undefined)
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
        'INTEGRATION_SERVICE_API_URL: must not contain credentials',
        'BACKGROUND_SERVICE_API_URL: API Gateway URL not set',
        'ADMIN_SERVICE_API_URL: must not contain a query or a fragment',
        'services.own.url: must start with https:// (http:// only for loopback hosts, or with the option allowHttp)',
        'CUSTOM: the host name contains no region, and AWS_REGION is not set',
      ],
    })
    for (const problem of error.problems) expect(error.message).toContain(problem)
    // Who names services knows how.
    expect(error.message).not.toContain('signedServices({')
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
    const { services } = resolve({ services: { ai: { optional: true } } }, {})
    expect(services.get('ai')?.base).toBeUndefined()
    expect(services.get('ai')).toMatchObject({ region: '', signingName: '' })
    expect(attempt({ services: { ai: { optional: true } } }, { AI_SERVICE_API_URL: 'nope' }).problems).toEqual([
      'AI_SERVICE_API_URL: https:// is missing',
    ])
  })
})

describe('signedServicesValidateOptions', () => {
  it('throws only for mistakes, and needs no environment', () => {
    expect(() => signedServicesValidateOptions()).not.toThrow()
    expect(() => signedServicesValidateOptions({ services: ['ai'], timeout: 1 })).not.toThrow()
    expect(() => signedServicesValidateOptions({ timeOut: 1 } as object)).toThrow(
      'timeOut: no such option of signedServices; did you mean timeout?',
    )
  })
})

it('rejection() itself fails for a promise that does not reject', async () => {
  await expect(rejection(Promise.resolve(1))).rejects.toThrow('resolved with 1')
})

import { describe, expect, it } from 'vitest'
import { resolveConfig } from '../../../src/config/resolve-config.ts'
import type { SignedServicesOptions } from '../../../src/index.ts'
import { IDENTITY, rejection } from '../../support/helpers.ts'

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
      retry: undefined,
      headers: {},
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

it('rejection() itself fails for a promise that does not reject', async () => {
  await expect(rejection(Promise.resolve(1))).rejects.toThrow('resolved with 1')
})

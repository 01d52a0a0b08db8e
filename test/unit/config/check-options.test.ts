import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { withoutMistakes } from '../../../src/config/check-options.ts'
import { ServicesConfigurationError, signedServices, signedServicesValidateOptions } from '../../../src/index.ts'
import { setEnv } from '../../support/helpers.ts'

function problemsOf(options: unknown): readonly string[] {
  try {
    signedServicesValidateOptions(options as object)
    return []
  } catch (error) {
    expect(error).toBeInstanceOf(ServicesConfigurationError)
    return (error as ServicesConfigurationError).problems
  }
}

const HOST = 'https://id.execute-api.eu-central-1.amazonaws.com'
const IDENTITY = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'hunter2' }

describe('options', () => {
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
          third: { url: undefined, env: 'X', optional: true, signingName: 'appsync', host: 'h.example:8443' },
        },
      },
    ],
    [{ region: ' eu-central-1\n', timeout: 1000, deadlineMargin: 0, trace: false, headers: { a: 'b' }, fetch }],
    [{ credentials: IDENTITY, retry: 0, maxConnections: 1, idleTimeout: 1, allowHttp: false }],
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
    [{ services: { ai: { retry: 5, timeout: false, credentials: IDENTITY, headers: {}, maxConnections: 9 } } }],
    [{ timeout: 2 ** 31 - 1, deadlineMargin: 2 ** 31 - 1, pendingCalls: 0, maxResponseSize: false }],
    [
      {
        maxResponseSize: 1,
        headers: { 'x-tab': '\ta\t', 'x-latin': '\u00e9', 'x-empty': '', 'content-type': 'a/b; c' },
      },
    ],
    [{ timeout: undefined, retry: { limit: undefined }, services: { ai: { retry: { statusCodes: [503] } } } }],
  ])('are taken as %o', (options) => {
    expect(problemsOf(options)).toEqual([])
  })

  it('report all mistakes in one error, together with missing environment variables', () => {
    setEnv({ AWS_REGION: undefined, AI_SERVICE_API_URL: undefined })
    const options = {
      timeout: 0,
      timeOut: 3,
      circuitBreaker: { failures: 3 },
      logger: {},
      services: { ai: {}, search: { timout: 3, url: 4 }, other: 5 },
    }
    expect(() => signedServices(options as never)).toThrow(
      [
        'The services cannot be configured:',
        '  - timeout: must be a positive number of milliseconds, or false; got 0',
        '  - timeOut: no such option of signedServices; did you mean timeout?',
        '  - circuitBreaker.failures: no such option of circuitBreaker; did you mean failureThreshold?',
        '  - logger: must have the functions info, warn, error',
        '  - services.search.timout: no such option of a service; did you mean timeout?',
        '  - services.search.url: must be a string; got 4',
        '  - services.other: must be a URL, or an object; got 5',
        '  - AI_SERVICE_API_URL: API Gateway URL not set',
      ].join('\n'),
    )
  })

  it.each<[string, unknown]>([
    ['options: must be an object; got null', null],
    ['options: must be an object; got an array', []],
    ['services: must be a list of names, or an object from name to URL or options; got a string', { services: 'ai' }],
    ["services[1]: a service's name must start with a letter; got 3", { services: ['ai', 3] }],
    ["services._: a service's name must start with a letter; got a string", { services: { _: {} } }],
    ["services[0]: a service's name must start with a letter; got null", { services: [null] }],
    [
      "services[0]: a service's name must not contain line breaks or other control characters",
      { services: ['ai\nadmin'] },
    ],
    ['services.a.env: must be a string that is not empty; got a string', { services: { a: { env: ' ' } } }],
    ...[true, 0, 1.5, '1'].map(
      (size) =>
        [
          `maxResponseSize: must be a positive number of bytes, or false; got ${size === '1' ? 'a string' : size}`,
          { maxResponseSize: size },
        ] as [string, object],
    ),
    ['region: must be a region such as eu-central-1; got a string', { region: '"eu-central-1"' }],
    [
      'services.a.signingName: must be a signing name such as execute-api; got a string',
      { services: { a: { signingName: 'a/b' } } },
    ],
    [
      'services.a.host: must be a host name, with or without a port; got a string',
      { services: { a: { host: 'https://x' } } },
    ],
    ['services.a.url: must be a string; got null', { services: { a: { url: null } } }],
    ['idleTimeout: must be a positive number of milliseconds; got NaN', { idleTimeout: Number.NaN }],
    ['deadlineMargin: must be milliseconds from 0 to 2147483647; got -1', { deadlineMargin: -1 }],
    ["pendingCalls: must be milliseconds, 'await' or 'ignore'; got a string", { pendingCalls: 'wait' }],
    ['retry: must be a whole number of retries, or an object; got 1.5', { retry: 1.5 }],
    ['retry.limit: must be a whole number of at least 0; got -1', { retry: { limit: -1 } }],
    ['retry.methods: must be a list of methods; got a string', { retry: { methods: 'get' } }],
    ['retry.statusCodes: must be a list of statuses; got an array', { retry: { statusCodes: ['503'] } }],
    ['retry.afterStatusCodes: must be a list of statuses; got 503', { retry: { afterStatusCodes: 503 } }],
    ['retry.jitter: must be true, false or a function; got 1', { retry: { jitter: 1 } }],
    ['retry.limt: no such option of retry; did you mean limit?', { retry: { limt: 1 } }],
    ['circuitBreaker: must be true, false, or an object; got 5', { circuitBreaker: 5 }],
    [
      'circuitBreaker.failureThreshold: must be a whole number of at least 1; got 0',
      { circuitBreaker: { failureThreshold: 0 } },
    ],
    [
      'circuitBreaker.resetTimeout: must be a positive number of milliseconds; got 0',
      { circuitBreaker: { resetTimeout: 0 } },
    ],
    [
      'maxConnections: must be a whole number of at least 1; got Infinity',
      { maxConnections: Number.POSITIVE_INFINITY },
    ],
    ['allowHttp: must be true or false; got a string', { allowHttp: 'yes' }],
    ['headers: must be an object of header values; got an object', { headers: new Headers() }],
    ['headers.a: must be a string; got 3', { headers: { a: 3 } }],
    ['headers.Authorization: must not be set: signing sets it', { headers: { Authorization: 'x' } }],
    ['headers.a b: is not a valid header', { headers: { 'a b': 'x' } }],
    ...['\u0001a', 'a\u0001', 'a\u0001b', '\u0001', '\u0100', 'a\nb'].map(
      (value) => ['headers.x-team: is not a valid header', { headers: { 'x-team': value } }] as [string, object],
    ),
    // Signed, so printable ASCII.
    ...['\u00e9a', 'a\u00e9', 'a\u00e9b', '\u00e9', 'a\tb'].map(
      (value) =>
        ['headers.Content-Type: is not a valid header', { headers: { 'Content-Type': value } }] as [string, object],
    ),
    ['headers: must be an object of header values; got null', { headers: null }],
    ['headers.Host: must not be set: signing sets it', { headers: { Host: 'x' } }],
    ...['Expect', 'keep-alive', 'TE', 'trailer', 'transfer-encoding', 'upgrade'].map(
      (name) =>
        [`headers.${name}: must not be set: it controls the connection`, { headers: { [name]: 'x' } }] as [
          string,
          object,
        ],
    ),
    ['onCall: must be a function; got an object', { onCall: {} }],
    ['logger: must have the function error', { logger: { info() {}, warn() {} } }],
    ['logger: must have the functions info, error', { logger: { info: 'x', warn() {}, error: 5 } }],
    ['trace: must be true or false; got a string', { trace: 'yes' }],
    [
      'services: must be a list of names, or an object from name to URL or options; got an object',
      { services: new Map([['ai', {}]]) },
    ],
    ['services.ai: must be a URL, or an object; got null', { services: { ai: null } }],
    ['services.ai: must be a URL, or an object; got an object', { services: { ai: new Map() } }],
    ["services[0]: a service's name must start with a letter; got an empty string", { services: [''] }],
    ["services.1ai: a service's name must start with a letter; got a string", { services: { '1ai': {} } }],
    [
      'services.ai.internal: must be a string that is not empty; got an empty string',
      { services: { ai: { internal: '' } } },
    ],
    [
      'services.ai.circuitBreaker: must be true, false, or an object; got 1',
      { services: { ai: { circuitBreaker: 1 } } },
    ],
    [
      'services.ai.retry.methods: must be a list of methods; got a string',
      { services: { ai: { retry: { methods: 'get' } } } },
    ],
    [
      'services.ai.trace: no such option of a service; the options are region, credentials, timeout, idleTimeout, retry, circuitBreaker, maxResponseSize, maxConnections, allowHttp, headers, url, env, internal, optional, signingName, host',
      { services: { ai: { trace: true } } },
    ],
    ['timeout: must be a positive number of milliseconds, or false; got 2147483648', { timeout: 2 ** 31 }],
    ['timeout: must be a positive number of milliseconds, or false; got a string', { timeout: '1s' }],
    ['retry.maxRetryAfter: must be a number of milliseconds; got -1', { retry: { maxRetryAfter: -1 } }],
    ['retry.backoffLimit: must be a number of milliseconds; got a string', { retry: { backoffLimit: '1' } }],
    ['retry.retryOnTimeout: must be true or false; got 1', { retry: { retryOnTimeout: 1 } }],
    ['retry.shouldRetry: must be a function; got true', { retry: { shouldRetry: true } }],
    [
      'credentials: must be credentials with accessKeyId and secretAccessKey, a provider function, or the name of a Middy internal value; got an empty string',
      { credentials: '' },
    ],
    [
      'services.ai.credentials: must be credentials with accessKeyId and secretAccessKey, a provider function, or the name of a Middy internal value; got an object',
      { services: { ai: { credentials: { accessKeyId: 'a' } } } },
    ],
    ['fetch: must be a function; got an object', { fetch: {} }],
    [
      'circuitBreaker.zzz: no such option of circuitBreaker; the options are failureThreshold, resetTimeout',
      { circuitBreaker: { zzz: 1 } },
    ],
  ])('%s', (problem, options) => {
    expect(problemsOf(options)).toEqual([problem])
  })

  it('do not show possible secrets', () => {
    const problems = problemsOf({
      credentials: { accessKeyId: 'hunter2' },
      region: 'hunter2',
      headers: { authorization: 'hunter2', 'x y': 'hunter2' },
      services: { ai: { credentials: { accessKeyId: 5, secretAccessKey: 'hunter2' }, host: 'hunter2/' } },
    })
    expect(problems).toHaveLength(6)
    expect(problems.join()).not.toContain('hunter2')
  })
})

describe('a mistake in any option', () => {
  const wrong = fc.oneof(
    fc.constantFrom(null, Number.NaN, -1, Symbol('x'), [], new Map(), 10n),
    fc.string({ minLength: 1 }).filter((text) => !/^[a-z]/i.test(text.trim())),
  )
  const paths = [
    ['region'],
    ['timeout'],
    ['idleTimeout'],
    ['retry'],
    ['retry', 'limit'],
    ['retry', 'delay'],
    ['retry', 'statusCodes'],
    ['circuitBreaker'],
    ['circuitBreaker', 'resetTimeout'],
    ['headers'],
    ['maxConnections'],
    ['allowHttp'],
    ['services', 'ai'],
    ['services', 'ai', 'url'],
    ['services', 'ai', 'env'],
    ['services', 'ai', 'optional'],
    ['services', 'ai', 'timeout'],
    ['services', 'ai', 'retry', 'shouldRetry'],
    ['services', 'ai', 'signingName'],
    ['deadlineMargin'],
    ['pendingCalls'],
    ['logger'],
    ['onCall'],
    ['trace'],
    ['fetch'],
  ]
  /** What a value may be, although it is in the list of wrong ones. */
  const isRight = (path: string, value: unknown) =>
    (/statusCodes$/.test(path) && Array.isArray(value)) ||
    (/\.(url|env)$|services\.ai$/.test(path) && typeof value === 'string' && value.trim() !== '') ||
    (/\.url$/.test(path) && typeof value === 'string') ||
    (/signingName$/.test(path) && typeof value === 'string' && /^[\w.-]+$/.test(value)) ||
    (/services\.ai$/.test(path) && typeof value === 'string')

  it('is reported by its path and in words', () => {
    fc.assert(
      fc.property(fc.constantFrom(...paths), wrong, (path, value) => {
        const at = path.join('.')
        fc.pre(!isRight(at, value))
        const options = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value)
        const problems = problemsOf(options)
        expect(problems.length).toBeGreaterThan(0)
        for (const problem of problems) {
          expect(problem.startsWith(`${at}: `) || problem.startsWith(`${at}.`)).toBe(true)
          expect(problem).not.toMatch(/schema|oneOf|instanceof|typeof|undefined is not|Option '/)
        }
        // With the environment, too, which the rest of the options still fits or not.
        expect(() => signedServices(options as object)).toThrow(
          expect.objectContaining({ code: 'ERR_SERVICES_CONFIG', problems: expect.arrayContaining([...problems]) }),
        )
      }),
      { numRuns: 500 },
    )
  })

  it('hides no other problem', () => {
    setEnv({ AWS_REGION: undefined })
    const problems = (services: object, options: object = {}) => {
      try {
        signedServices({ services, ...options } as object)
      } catch (error) {
        return (error as ServicesConfigurationError).problems
      }
      return []
    }
    const unset = 'AI_SERVICE_API_URL: API Gateway URL not set'
    expect(problems(['ai', 5])).toEqual([expect.stringMatching(/^services\[1\]: /), unset])
    expect(problems({ ai: { timeout: 0 } })).toEqual([expect.stringMatching(/^services\.ai\.timeout: /), unset])
    // A name that begins like another one.
    expect(problems({ ai: {}, aiTools: { url: 5 } })).toEqual([
      expect.stringMatching(/^services\.aiTools\.url: /),
      unset,
    ])
    // But none that follows from a mistake.
    expect(problems({ ai: { env: 5 }, b: null, c: { host: 'a/b', url: HOST } })).toEqual([
      expect.stringMatching(/^services\.ai\.env: /),
      expect.stringMatching(/^services\.b: /),
      expect.stringMatching(/^services\.c\.host: /),
    ])
    expect(() => signedServices(null as never)).toThrow(
      new ServicesConfigurationError(['options: must be an object; got null']),
    )
    expect(problems('ai' as never)).toEqual([expect.stringMatching(/^services: /)])
    expect(problems({ ai: 'https://ai.example' }, { region: 5 })).toEqual([expect.stringMatching(/^region: /)])
    expect(problems({ ai: 'http://ai.example' }, { region: 'eu-central-1', allowHttp: 5 })).toEqual([
      expect.stringMatching(/^allowHttp: /),
    ])
  })

  it.each<[string, object, string[], object]>([
    ['the option alone', { timeout: 0, trace: true }, ['timeout: x'], { trace: true }],
    [
      'the whole option, for a member of it',
      { retry: { limit: -1 }, trace: true },
      ['retry.limit: x'],
      { trace: true },
    ],
    ['no option whose name is the start of another', { retry: 1, retryLimit: 1 }, ['retryLimit: x'], { retry: 1 }],
    [
      'a name from the list of services',
      { services: ['ai', 5, 'admin'] },
      ['services[1]: x'],
      { services: ['ai', 'admin'] },
    ],
    [
      'the option of a service, but not the service',
      { services: { ai: { url: HOST, timeout: 0 }, admin: HOST } },
      ['services.ai.timeout: x'],
      { services: { ai: { url: HOST }, admin: HOST } },
    ],
    [
      "no option that has the name of a service's mistaken one",
      { timeout: 1, services: { ai: { timeout: 0 } } },
      ['services.ai.timeout: x'],
      { timeout: 1, services: { ai: {} } },
    ],
    [
      "no option of a service that has the name of all services' mistaken one",
      { timeout: 0, services: { ai: { timeout: 1 } } },
      ['timeout: x'],
      { services: { ai: { timeout: 1 } } },
    ],
    ...['url', 'env', 'internal', 'region', 'signingName', 'host', 'allowHttp'].map(
      (name) =>
        [
          `a service with a mistaken ${name}`,
          { services: { ai: { [name]: 5, timeout: 1 }, admin: {} } },
          [`services.ai.${name}: x`],
          { services: { admin: {} } },
        ] as [string, object, string[], object],
    ),
  ])('leaves out %s', (_, options, mistakes, rest) => {
    expect(withoutMistakes(options, mistakes)).toEqual(rest)
  })

  it('in a name is reported with the nearest name', () => {
    const names = [
      'timeout',
      'idleTimeout',
      'retry',
      'circuitBreaker',
      'deadlineMargin',
      'pendingCalls',
      'maxConnections',
    ]
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), (name, at) => {
        const index = 1 + (at % (name.length - 1))
        const misspelt = name.slice(0, index) + name.slice(index + 1)
        fc.pre(!names.includes(misspelt))
        expect(problemsOf({ [misspelt]: 1 })).toEqual([
          `${misspelt}: no such option of signedServices; did you mean ${name}?`,
        ])
      }),
      { numRuns: 200 },
    )
  })
})

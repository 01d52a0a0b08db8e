import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
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

describe('options', () => {
  it('are told all mistakes at once, beside what the environment lacks', () => {
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
    ['retry.jitter: must be true, false or a function; got 1', { retry: { jitter: 1 } }],
    ['retry.limt: no such option of retry; did you mean limit?', { retry: { limt: 1 } }],
    ['circuitBreaker: must be true, false, or an object; got 5', { circuitBreaker: 5 }],
    [
      'circuitBreaker.failureThreshold: must be a whole number of at least 1; got 0',
      { circuitBreaker: { failureThreshold: 0 } },
    ],
    [
      'maxConnections: must be a whole number of at least 1; got Infinity',
      { maxConnections: Number.POSITIVE_INFINITY },
    ],
    ['allowHttp: must be true or false; got a string', { allowHttp: 'yes' }],
    ['headers: must be an object of header values; got an object', { headers: new Headers() }],
    ['headers.a: must be a string; got 3', { headers: { a: 3 } }],
    ['headers.Authorization: is written by the signature', { headers: { Authorization: 'x' } }],
    ['headers.a b: is not a valid header', { headers: { 'a b': 'x' } }],
    ['onCall: must be a function; got an object', { onCall: {} }],
    ['fetch: must be a function; got an object', { fetch: {} }],
    [
      'circuitBreaker.zzz: no such option of circuitBreaker; it has failureThreshold, resetTimeout',
      { circuitBreaker: { zzz: 1 } },
    ],
  ])('%s', (problem, options) => {
    expect(problemsOf(options)).toEqual([problem])
  })

  it('may be undefined, and their regions surrounded by blanks', () => {
    expect(problemsOf({ timeout: undefined, region: ' eu-central-1\n', services: { a: { url: undefined } } })).toEqual(
      [],
    )
    expect(problemsOf({ timeout: false, retry: { limit: 0 }, services: { a: { timeout: false } } })).toEqual([])
    expect(problemsOf(undefined)).toEqual([])
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

  it('is told by its path and in words', () => {
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
      }),
      { numRuns: 500 },
    )
  })

  it('in a name is told with the nearest one', () => {
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

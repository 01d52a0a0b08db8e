import { describe, expect, it } from 'vitest'
import {
  CircuitOpenError,
  ServiceAuthError,
  ServiceError,
  ServiceNetworkError,
  ServiceRequestError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceThrottledError,
  ServiceTimeoutError,
} from '../../../src/errors/service-errors.ts'

const CALL = { service: 'ai', method: 'GET', path: '/x', attempts: 2 }
const RESPONSE = { status: 429, data: { a: 1 }, headers: new Headers(), requestId: 'r-1' }
const HINT = 'Do this.'

it.each([
  [
    new ServiceRequestError(CALL, 'problem'),
    { name: 'ServiceRequestError', code: 'ERR_SERVICE_REQUEST', statusCode: 500 },
  ],
  [
    new ServiceResponseError(CALL, 'problem', RESPONSE),
    {
      name: 'ServiceResponseError',
      code: 'ERR_SERVICE_RESPONSE',
      statusCode: 502,
      status: 429,
      data: { a: 1 },
      requestId: 'r-1',
    },
  ],
  [
    new ServiceAuthError(CALL, 'problem', { ...RESPONSE, reason: 'forbidden', hint: HINT }),
    {
      name: 'ServiceAuthError',
      code: 'ERR_SERVICE_AUTH',
      statusCode: 502,
      status: 429,
      data: { a: 1 },
      requestId: 'r-1',
      reason: 'forbidden',
      hint: HINT,
    },
  ],
  [
    new ServiceThrottledError(CALL, 'problem', { ...RESPONSE, retryAfterMs: 0, quota: true, hint: HINT }),
    {
      name: 'ServiceThrottledError',
      code: 'ERR_SERVICE_THROTTLED',
      statusCode: 503,
      status: 429,
      data: { a: 1 },
      requestId: 'r-1',
      retryAfterMs: 0,
      quota: true,
      hint: HINT,
    },
  ],
  [
    new ServiceThrottledError(CALL, 'problem', {
      ...RESPONSE,
      requestId: undefined,
      retryAfterMs: undefined,
      quota: false,
      hint: undefined,
    }),
    {
      name: 'ServiceThrottledError',
      code: 'ERR_SERVICE_THROTTLED',
      statusCode: 503,
      status: 429,
      data: { a: 1 },
      quota: false,
    },
  ],
  [
    new ServiceNetworkError(CALL, 'problem', { networkCode: 'ECONNRESET', cause: undefined }),
    {
      name: 'ServiceNetworkError',
      code: 'ERR_SERVICE_NETWORK',
      statusCode: 502,
      networkCode: 'ECONNRESET',
      neverConnected: false,
    },
  ],
  [
    new ServiceTimeoutError(CALL, 'problem', { timeoutMs: 5, deadline: true }),
    { name: 'ServiceTimeoutError', code: 'ERR_SERVICE_TIMEOUT', statusCode: 504, timeoutMs: 5, deadline: true },
  ],
])('%s has exactly the members that it needs', (error, members) => {
  expect(error).toBeInstanceOf(ServiceError)
  expect(error.message).toBe('ai: GET /x: problem')
  expect({ ...error }).toStrictEqual({ ...CALL, expose: false, ...members })
})

it('an open circuit says how long it stays open', () => {
  const error = new CircuitOpenError(CALL, { retryAfterMs: 250 })
  expect(error.message).toBe('ai: GET /x: the circuit is open for another 250 ms at most')
  expect({ ...error }).toStrictEqual({
    ...CALL,
    name: 'CircuitOpenError',
    code: 'ERR_SERVICE_CIRCUIT_OPEN',
    statusCode: 503,
    expose: false,
    retryAfterMs: 250,
  })
})

it('a network error says that no connection was made', () => {
  const details = { networkCode: 'ECONNREFUSED', neverConnected: true, cause: undefined }
  expect(new ServiceNetworkError(CALL, 'problem', details).neverConnected).toBe(true)
})

it('an error has a cause only where one is given, even if it is undefined', () => {
  expect(new ServiceRequestError(CALL, 'problem', { cause: 7 }).cause).toBe(7)
  expect(Object.hasOwn(new ServiceRequestError(CALL, 'problem', { cause: undefined }), 'cause')).toBe(true)
  expect(Object.hasOwn(new ServiceRequestError(CALL, 'problem'), 'cause')).toBe(false)
})

describe('a configuration error', () => {
  const ADVICE = 'Set the variable.'
  const MISSING = 'AI_URL: API Gateway URL not set'

  it('lists every problem as one line', () => {
    const error = new ServicesConfigurationError(['retry: wrong\nsecond line', 'timeout: wrong'])
    expect({ ...error }).toEqual({
      name: 'ServicesConfigurationError',
      code: 'ERR_SERVICES_CONFIG',
      problems: ['retry: wrong second line', 'timeout: wrong'],
    })
    expect(error.message).toBe('The services cannot be configured:\n  - retry: wrong second line\n  - timeout: wrong')
  })

  it.each([
    [[MISSING], ADVICE, `\n  - ${MISSING}\n${ADVICE}`],
    [['retry: wrong', MISSING], ADVICE, `\n  - retry: wrong\n  - ${MISSING}\n${ADVICE}`],
    [['retry: wrong'], ADVICE, '\n  - retry: wrong'],
    [['AI_URL: not a URL'], ADVICE, '\n  - AI_URL: not a URL'],
    [[`${MISSING} here`], ADVICE, `\n  - ${MISSING} here`],
    [[MISSING], undefined, `\n  - ${MISSING}`],
    [[MISSING], '', `\n  - ${MISSING}`],
  ])('with the problems %j and the advice %j ends with %j', (problems, advice, expected) => {
    expect(new ServicesConfigurationError(problems, advice).message).toBe(
      `The services cannot be configured:${expected}`,
    )
  })
})

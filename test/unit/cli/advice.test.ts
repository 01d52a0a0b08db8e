import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { adviseCall, adviseConfiguration, adviseNetwork } from '../../../src/cli/advice.ts'
import {
  type AuthReason,
  ServiceAuthError,
  ServiceNetworkError,
  ServiceRequestError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceThrottledError,
  ServiceTimeoutError,
} from '../../../src/errors/index.ts'

const call = { service: 'ai', method: 'GET', path: '/health', attempts: 1 }
const response = (status: number) => ({ status, data: undefined, headers: new Headers() })

const errors = readFileSync(join(import.meta.dirname, '../../../src/errors/service-errors.ts'), 'utf8')
const [, union = ''] = /export type AuthReason =([\s|'a-z-]+)/.exec(errors) ?? []
const reasons = [...union.matchAll(/'([a-z-]+)'/g)].map(([, reason]) => reason as AuthReason)

describe('advice', () => {
  it('is there for every reason', () => {
    expect(reasons.length).toBeGreaterThan(8)
    for (const reason of reasons) {
      const error = new ServiceAuthError(call, '403', { ...response(403), reason, hint: 'the hint' })
      expect(adviseCall(error), reason).toMatch(/^.{30,}$/)
    }
  })

  it('is there for a timeout', () => {
    const error = new ServiceTimeoutError(call, 'late', { timeoutMs: 1, deadline: false })
    expect(adviseCall(error)).toContain('Raise --timeout')
  })

  it.each([
    ['ENOTFOUND', /^DNS: /],
    ['EAI_AGAIN', /^DNS: /],
    ['ETIMEDOUT', /NAT gateway/],
    ['ECONNREFUSED', /Nothing listens/],
    ['ECONNRESET', /ended early/],
    ['CERT_HAS_EXPIRED', /expired/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /--host/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /not trusted/],
    ['UNKNOWN', /security groups/],
    ['constructor', /security groups/],
  ])('is there for %s', (networkCode, advice) => {
    expect(adviseNetwork(networkCode)).toMatch(advice)
    expect(adviseCall(new ServiceNetworkError(call, 'no answer', { networkCode, cause: undefined }))).toMatch(advice)
  })

  it.each([
    [301, /Redirects/],
    [400, /check the response body/],
    [401, /The service itself rejected/],
    [403, /The service itself rejected/],
    [404, /method and path/],
    [413, /S3/],
    [500, /check its log/],
    [502, /malformed/],
    [503, /unavailable/],
    [504, /29 seconds/],
  ])('is there for a status %i', (status, advice) => {
    expect(adviseCall(new ServiceResponseError(call, `${status}`, response(status)))).toMatch(advice)
  })

  it('is the hint of the gateway for its throttling', () => {
    const details = { ...response(429), retryAfterMs: undefined, quota: false }
    expect(adviseCall(new ServiceThrottledError(call, '429', { ...details, hint: 'raise limits' }))).toBeUndefined()
    expect(adviseCall(new ServiceThrottledError(call, '429', { ...details, hint: undefined }))).toContain('wait')
  })

  it('is there for missing credentials, and for nothing else that is refused before sending', () => {
    expect(adviseCall(new ServiceRequestError(call, 'no credentials: none found'))).toContain('--profile')
    expect(adviseCall(new ServiceRequestError(call, 'the path leaves the base URL'))).toBeUndefined()
    expect(adviseCall(new Error('else'))).toBeUndefined()
  })

  it.each([
    ['AI_SERVICE_API_URL: API Gateway URL not set', /AI_SERVICE_API_URL=https:/],
    ['AI_SERVICE_API_URL: the host name contains no region, and AWS_REGION is not set', /--region/],
    ["AI_SERVICE_API_URL: the host's region is 'a', but the option says 'b'", /Omit --region/],
    ['AI_SERVICE_API_URL: an AWS host that is not known here: set region and signingName', /--signing-name/],
    ['AI_SERVICE_API_URL: must start with https:// (or with the option allowHttp)', /--allow-http/],
    ['AI_SERVICE_API_URL: not a URL', /Correct the variable/],
  ])('is there for %s', (problem, advice) => {
    expect(adviseConfiguration(problem)).toMatch(advice)
    expect(adviseCall(new ServicesConfigurationError([problem]))).toMatch(advice)
  })

  it('has a line for each problem of the configuration', () => {
    const problems = ['AI_SERVICE_API_URL: not a URL', 'AWS_REGION: must be a region']
    expect(adviseCall(new ServicesConfigurationError(problems))).toBe(
      'Correct the variable: it must be the base URL of the service, with its stage.\nSet --region or AWS_REGION.',
    )
  })
})

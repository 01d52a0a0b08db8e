import { createHash } from 'node:crypto'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { createServices, type ServiceClient } from '../../../src/index.ts'
import { FAULT_NAMES } from '../../../src/testing/faults.ts'
import { type Fault, type FaultName, fail, type LocalGateway, mockServices } from '../../../src/testing/index.ts'
import { rejection, useGateway } from '../../support/helpers.ts'
import { startStopwatch } from '../../support/stopwatch.ts'

const BREAKS = ['reset-before-read', 'reset-after-read', 'network', 'half-answer', 'hang', 'timeout', 'hang-in-body']
const BROKEN = new Set<FaultName>(BREAKS as FaultName[])
const ANSWERS = FAULT_NAMES.filter((name) => !BROKEN.has(name))

/** Two clients whose route responds with a fault: a mock, and a real client of the local gateway. */
async function twins(name: FaultName): Promise<Record<'mock' | 'real', ServiceClient>> {
  const routes = { ai: { 'POST /jobs/:id': () => fail(name), 'GET /jobs': fail(name), 'HEAD /jobs': fail(name) } }
  await useGateway(routes)
  return { mock: mockServices(routes).ai, real: createServices({ services: ['ai'], timeout: 200 }).ai }
}

/** What of a response must be the same wherever it comes from. */
async function read(ai: ServiceClient) {
  const response = await ai.fetch('jobs/a%20b', { method: 'POST', body: '{"n":1}' })
  const headers = Object.fromEntries(response.headers)
  const ids = ['x-amzn-requestid', 'x-amz-apigw-id', 'apigw-requestid'].filter((name) => headers[name] !== undefined)
  for (const name of [...ids, 'date', 'connection']) delete headers[name]
  const text = await response.text()
  // It repeats hosts and keys, which are those of the two gateways.
  if (text.includes('The Canonical String')) delete headers['content-length']
  const body = text
    .replace(/'POST\\n[^']*'/, "'canonical request'")
    .replace(/'AWS4-HMAC-SHA256\\n[^']*'/, "'string to sign'")
    .replace(/\d{8}T\d{6}Z/g, 'time')
    .replace(/'[\da-f]{64}'/, "'hash'")
  return { status: response.status, ids, headers, body }
}

describe.each(ANSWERS)('a route that responds with %s', (name) => {
  it('gives the same response in mocks as in the gateway', async () => {
    const { mock, real } = await twins(name)
    const response = await read(mock)
    expect(response).toEqual(await read(real))
    expect(response.status).toBeGreaterThan(400)
    expect(response.ids).toHaveLength(name.startsWith('http-api-') ? 1 : 2)
  })

  it('fails a call in the same way', async () => {
    const { mock, real } = await twins(name)
    const failures = (await Promise.all(
      [mock, real].map((ai) => rejection(ai.get('jobs', { retry: 0 }).json())),
    )) as Record<string, unknown>[]
    const [inMocks, inGateway] = failures.map(({ name, code, status, reason, quota, attempts, requestId }) => ({
      name,
      code,
      status,
      reason,
      quota,
      attempts,
      hasRequestId: typeof requestId,
    }))
    expect(inMocks).toEqual(inGateway)
    expect(inMocks?.status).toBeGreaterThan(400)
  })
})

describe('a mock that responds with signature-mismatch', () => {
  it('shows the canonical request', async () => {
    const { mock } = await twins('signature-mismatch')
    const { message } = (await (await mock.fetch('jobs/1', { method: 'POST', body: '{"n":1}' })).json()) as {
      message: string
    }
    expect(message).toContain("'POST\n/ai/jobs/1\n\ncontent-type:text/plain;charset=UTF-8\nhost:mocked.invalid\n")
    expect(message).toContain(`\n${createHash('sha256').update('{"n":1}').digest('hex')}'\n`)
  })

  it('or with incomplete-signature, shows the hash of the authorization that was sent', async () => {
    const { mock } = await twins('incomplete-signature')
    const { message } = (await (await mock.fetch('jobs/1', { method: 'POST' })).json()) as { message: string }
    expect(message).toMatch(/\(hashed with SHA-256\): '[\da-f]{64}'$/)
    // The content type of an empty text would be one that the route did not send.
    expect(message).not.toContain('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  })
})

describe('a route that breaks the connection', () => {
  const NETWORK = { code: 'ERR_SERVICE_NETWORK', networkCode: 'ECONNRESET' }
  const TIMEOUT = { code: 'ERR_SERVICE_TIMEOUT', deadline: false }
  it.each([
    ['reset-before-read', NETWORK, 3],
    ['reset-after-read', NETWORK, 3],
    ['network', NETWORK, 3],
    ['half-answer', NETWORK, 1],
    ['hang', TIMEOUT, 1],
    ['timeout', TIMEOUT, 1],
    ['hang-in-body', TIMEOUT, 1],
  ] as const)('fails a call in the same way by %s', async (name, expected, attempts) => {
    const { mock, real } = await twins(name)
    for (const ai of [mock, real]) {
      const failure = await rejection(ai.get('jobs', { retry: { limit: 2, delay: () => 0 } }).json())
      expect(failure).toMatchObject({ ...expected, attempts })
    }
    expect(mock.name).toBe('ai')
  })

  it.each([
    ['half-answer', NETWORK],
    ['hang-in-body', TIMEOUT],
  ] as const)('sends the head of a 200 first, and half of a body, by %s', async (name, expected) => {
    const { mock, real } = await twins(name)
    for (const ai of [mock, real]) {
      const response = await ai.fetch('jobs')
      expect(response.status).toBe(200)
      expect(response.headers.get('content-length')).toBe('28')
      expect(response.headers.get('x-amzn-requestid')).toMatch(/./)
      const reader = (response.body as ReadableStream<Uint8Array>).getReader()
      expect(Buffer.from((await reader.read()).value as Uint8Array).toString()).toBe('{"items":[1,2,')
      expect(await rejection(reader.read())).toMatchObject(expected)
      expect((await ai.fetch('jobs', { method: 'HEAD' })).status).toBe(200)
    }
  })

  it('times a mock out at once, for any timeout', async () => {
    const { mock } = await twins('hang')
    const took = startStopwatch()
    expect(await rejection(mock.get('jobs').json())).toMatchObject({ timeoutMs: 30_000 })
    expect(took()).toBeLessThan(1_000)
  })
})

it('the gateway records a fault that a route responds with', async () => {
  const gateway = await useGateway({
    ai: { 'GET /a': fail('quota'), 'GET /b': fail('half-answer'), 'GET /c': fail('network') },
  })
  const { ai } = createServices({ services: ['ai'], retry: 0 })
  for (const path of ['a', 'b', 'c']) await rejection(ai.get(path).json())
  expect(gateway.requests.map(({ path, status }) => `${path} ${status}`)).toEqual(['/a 429', '/b 200', '/c 0'])
  for (const request of gateway.requests) expect(request).not.toHaveProperty('error')
})

describe('names of faults', () => {
  it('are checked where they are given', () => {
    const names = FAULT_NAMES.join(', ')
    for (const name of ['thortled', 'constructor']) {
      expect(() => fail(name as FaultName)).toThrow(
        new TypeError(`Unknown fault '${name}': it must be one of ${names}`),
      )
    }
    for (const name of FAULT_NAMES) expect(fail(name).fault).toBe(name)
  })

  it('are typed', () => {
    const typed = (gateway: LocalGateway) => {
      expectTypeOf(fail).parameter(0).toEqualTypeOf<FaultName>()
      expectTypeOf<FaultName>().toEqualTypeOf<(typeof FAULT_NAMES)[number]>()
      expectTypeOf<string>().not.toExtend<FaultName>()
      expectTypeOf<'throttled' | 'network' | 'timeout' | 'hang-in-body'>().toExtend<FaultName>()
      // @ts-expect-error: no such fault
      fail('thortled')
      // @ts-expect-error: perhaps no such fault
      fail('hang' as string)
      // @ts-expect-error: no such fault
      gateway.fail('*', 'thortled')
      // @ts-expect-error: no such fault
      gateway.fail('*', { fault: 'thortled', times: 1 })
      // @ts-expect-error: no such fault
      mockServices({ ai: { 'GET /x': () => fail('thortled') } })
      const faults: Fault[] = ['timeout', 'network', { fault: 'timeout', times: 1 }, fail('quota'), { delay: 1 }]
      for (const fault of faults) gateway.fail('*', fault)
    }
    expect(typed).toBeTypeOf('function')
  })
})

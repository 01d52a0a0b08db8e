import { afterAll, describe, expect, it, vi } from 'vitest'
import {
  createServices,
  ServiceAuthError,
  type ServiceClient,
  ServiceError,
  ServiceNetworkError,
  ServiceResponseError,
  ServiceThrottledError,
  ServiceTimeoutError,
} from '../../src/index.ts'
import { type Fault, type FaultName, type LocalGateway, reply, startLocalGateway } from '../../src/testing/index.ts'
import { IDENTITY, rejection, useGateway } from '../support/helpers.ts'

const IDEMPOTENT = ['GET', 'HEAD', 'PUT', 'DELETE'] as const
const UNSAFE = ['POST', 'PATCH'] as const
const METHODS = [...IDEMPOTENT, ...UNSAFE] as const
type Method = (typeof METHODS)[number]

/** For what hangs, long enough for a request to arrive on a busy machine. Everything else has time. */
const TIMEOUT = 500
const RETRY = { delay: () => 0 }

interface Row {
  readonly fault: Fault
  /** What a GET and a POST fail with; absent where they succeed. */
  readonly error?: { readonly type: new (...args: never[]) => ServiceError } & Readonly<Record<string, unknown>>
  /** Requests of one call by an idempotent method. */
  readonly idempotent: 1 | 3
  /** Requests of one POST or PATCH. */
  readonly unsafe: 1 | 3
}

const auth = (fault: FaultName, reason: string): Row => ({
  fault,
  error: { type: ServiceAuthError, code: 'ERR_SERVICE_AUTH', reason, status: 403, statusCode: 502 },
  idempotent: 1,
  unsafe: 1,
})

const answered = (fault: Fault, status: number, idempotent: 1 | 3): Row => ({
  fault,
  error: { type: ServiceResponseError, code: 'ERR_SERVICE_RESPONSE', status, statusCode: 502 },
  idempotent,
  unsafe: 1,
})

const status = (status: number, idempotent: 1 | 3): Row =>
  answered({ status, body: { message: 'x' } }, status, idempotent)

const THROTTLED = { type: ServiceThrottledError, code: 'ERR_SERVICE_THROTTLED', status: 429, statusCode: 503 }
const BROKEN = { type: ServiceNetworkError, code: 'ERR_SERVICE_NETWORK', statusCode: 502 }
const RESET = { ...BROKEN, networkCode: expect.stringMatching(/^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/) }
const TIMED_OUT = {
  type: ServiceTimeoutError,
  code: 'ERR_SERVICE_TIMEOUT',
  statusCode: 504,
  timeoutMs: TIMEOUT,
  deadline: false,
}

const ROWS: readonly Row[] = [
  auth('missing-token', 'missing-token'),
  auth('incomplete-signature', 'signature-mismatch'),
  auth('signature-mismatch', 'signature-mismatch'),
  auth('signature-expired', 'signature-expired'),
  auth('signature-not-yet-current', 'signature-not-yet-current'),
  auth('invalid-token', 'invalid-token'),
  auth('expired-token', 'expired-token'),
  auth('access-denied', 'access-denied'),
  auth('access-denied-explicit', 'access-denied'),
  auth('forbidden', 'forbidden'),
  auth('http-api-forbidden', 'forbidden'),
  { fault: 'throttled', error: THROTTLED, idempotent: 3, unsafe: 3 },
  { fault: 'quota', error: THROTTLED, idempotent: 1, unsafe: 1 },
  answered('integration-timeout', 504, 3),
  answered('bad-gateway', 502, 3),
  answered('internal-error', 500, 3),
  answered('too-large', 413, 1),
  answered('http-api-not-found', 404, 1),
  { fault: 'reset-before-read', error: RESET, idempotent: 3, unsafe: 1 },
  { fault: 'reset-after-read', error: RESET, idempotent: 3, unsafe: 1 },
  { fault: 'network', error: RESET, idempotent: 3, unsafe: 1 },
  // It has begun to arrive: nothing is sent again for a body.
  { fault: 'half-answer', error: BROKEN, idempotent: 1, unsafe: 1 },
  { fault: 'hang', error: TIMED_OUT, idempotent: 1, unsafe: 1 },
  { fault: 'timeout', error: TIMED_OUT, idempotent: 1, unsafe: 1 },
  { fault: 'hang-in-body', error: TIMED_OUT, idempotent: 1, unsafe: 1 },
  { fault: { delay: 60_000 }, error: TIMED_OUT, idempotent: 1, unsafe: 1 },
  { fault: { delay: 20 }, idempotent: 1, unsafe: 1 },
  { fault: { status: 204 }, idempotent: 1, unsafe: 1 },
  answered({ status: 200, body: 'not JSON' }, 200, 1),
  answered({ status: 302, headers: { location: '/elsewhere' } }, 302, 1),
  status(400, 1),
  status(401, 1),
  status(404, 1),
  status(408, 3),
  status(409, 1),
  status(413, 1),
  status(500, 3),
  status(501, 1),
  status(502, 3),
  status(503, 3),
  status(504, 3),
  answered({ status: 503, headers: { 'retry-after': '0' } }, 503, 3),
  answered({ status: 503, headers: { 'retry-after': '60' } }, 503, 1),
  answered({ status: 413, headers: { 'retry-after': '0' } }, 413, 1),
  // The integration's own throttling: it has run.
  { fault: { status: 429 }, error: THROTTLED, idempotent: 3, unsafe: 1 },
  {
    fault: { status: 429, headers: { 'retry-after': '60' } },
    error: { ...THROTTLED, retryAfterMs: 60_000 },
    idempotent: 1,
    unsafe: 1,
  },
]

const rows = ROWS.map((row) => [typeof row.fault === 'string' ? row.fault : JSON.stringify(row.fault), row] as const)

const gateways: LocalGateway[] = []
afterAll(() => Promise.all(gateways.map(({ close }) => close())))

/** A gateway with one route a method, how often each route's function ran, and a client a method. */
async function start(timeout = 5_000) {
  const runs = Object.fromEntries(METHODS.map((method) => [method, 0])) as Record<Method, number>
  const routes = METHODS.map((method) => {
    const run = () => {
      runs[method] += 1
      return method === 'HEAD' ? reply(200) : { method }
    }
    return [`${method} /x`, run] as const
  })
  // Not for one test at a time, as `useGateway` starts it: tests of timeouts run side by side.
  const gateway = await startLocalGateway({ services: { ai: Object.fromEntries(routes) }, credentials: IDENTITY })
  gateways.push(gateway)
  const services = { ai: gateway.env.AI_SERVICE_API_URL as string }
  const options = { services, region: 'us-east-1', credentials: IDENTITY, timeout, retry: RETRY }
  // A retry budget each: all calls of one service share theirs.
  const clients = METHODS.map((method) => [method, createServices(options).ai])
  return { gateway, clients: Object.fromEntries(clients) as Clients, runs }
}

type Clients = Readonly<Record<Method, ServiceClient>>

type Options = Parameters<ServiceClient>[1]

function call(clients: Clients, method: Method, options: Options = {}): Promise<unknown> {
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return clients[method]('x', { method, ...(hasBody && { json: { n: 1 } }), ...options }).json()
}

/** How many requests of each method reached the gateway, once nothing more comes. */
async function settled(gateway: LocalGateway, expected: Readonly<Record<string, number>>) {
  const count = () => {
    const counts = Object.fromEntries(Object.keys(expected).map((method) => [method, 0]))
    for (const { method } of gateway.requests) counts[method] = (counts[method] ?? 0) + 1
    return counts
  }
  // An aborted request is recorded as soon as the gateway notices.
  await vi.waitFor(() => expect(count()).toEqual(expected), { interval: 5, timeout: 10_000 })
  await new Promise((resolve) => setTimeout(resolve, 10))
  return count()
}

const counts = (idempotent: number, unsafe: number): Record<Method, number> => ({
  GET: idempotent,
  HEAD: idempotent,
  PUT: idempotent,
  DELETE: idempotent,
  POST: unsafe,
  PATCH: unsafe,
})

const allMethods = (clients: Clients, options?: Options) =>
  Promise.all(METHODS.map((method) => call(clients, method, options).catch((error: unknown) => error)))

it('knows every fault of the gateway', async () => {
  const gateway = await useGateway({ ai: {} })
  let message = ''
  try {
    gateway.fail('*', '?' as FaultName)
  } catch (error) {
    message = (error as Error).message
  }
  const names = message.split('must be one of ')[1]?.split(', ') ?? []
  expect(names.length).toBeGreaterThan(20)
  expect(ROWS.map(({ fault }) => fault).filter((fault) => typeof fault === 'string')).toEqual(
    expect.arrayContaining(names),
  )
})

/** What waits for timeouts waits side by side. */
const suiteOf = ({ error }: Row) => (error === TIMED_OUT ? describe.concurrent : describe)

for (const [name, row] of rows) suiteOf(row)(name, () => testRow(row))

function testRow({ fault, error, idempotent, unsafe }: Row): void {
  const timeout = error === TIMED_OUT ? TIMEOUT : undefined

  it.each([
    ['GET', idempotent],
    ['POST', unsafe],
  ] as const)('ends a %s as the table says, after %i', async (method, attempts) => {
    const { gateway, clients } = await start(timeout)
    gateway.fail('*', fault)
    if (error === undefined) {
      await call(clients, method)
    } else {
      const { type, ...fields } = error
      const failure = (await rejection(call(clients, method))) as ServiceError
      expect(failure).toBeInstanceOf(ServiceError)
      expect(failure.constructor).toBe(type)
      expect(failure).toMatchObject({ name: type.name, ...fields, service: 'ai', method, path: '/x', expose: false })
      expect(failure.attempts).toBe(attempts)
      expect(failure.message).toMatch(new RegExp(`^ai: ${method} /x: .`))
      if (failure instanceof ServiceAuthError) expect(failure.hint).toMatch(/.{20}/)
      else expect(failure).not.toHaveProperty('reason')
    }
    expect(await settled(gateway, { [method]: attempts })).toEqual({ [method]: attempts })
    // Without the body, which this one leaves unread, no signature fits.
    const isVerified = !(fault === 'reset-before-read' && method === 'POST')
    for (const { signature } of gateway.requests) expect(signature.verified).toBe(isVerified)
  })

  it('reaches the service as often as each method may', async () => {
    const { gateway, clients } = await start(timeout)
    gateway.fail('*', fault)
    await allMethods(clients)
    const expected = counts(idempotent, unsafe)
    expect(await settled(gateway, expected)).toEqual(expected)
  })

  it('reaches it as often by POST as by PUT with an idempotency key', async () => {
    const { gateway, clients } = await start(timeout)
    gateway.fail('*', fault)
    await allMethods(clients, { headers: { 'Idempotency-Key': 'k' } })
    const expected = counts(idempotent, idempotent)
    expect(await settled(gateway, expected)).toEqual(expected)
  })

  it('reaches it no more often, whatever options the call has', async () => {
    const { gateway, clients } = await start(timeout)
    gateway.fail('*', fault)
    const methods = METHODS.map((method) => method.toLowerCase()) as Lowercase<Method>[]
    const retry = {
      ...RETRY,
      methods,
      statusCodes: [200, 302, 400, 401, 403, 404, 408, 409, 413, 429, 500, 501, 502, 503, 504],
      afterStatusCodes: [413, 429, 503],
      shouldRetry: () => true,
    }
    await allMethods(clients, { retry })
    const expected = counts(idempotent, unsafe)
    expect(await settled(gateway, expected)).toEqual(expected)
  })

  it('heals for those who may try again, and runs no POST or PATCH twice', async () => {
    const { gateway, clients, runs } = await start(timeout)
    const once = typeof fault === 'string' ? { fault, times: 1 } : { ...fault, times: 1 }
    for (const method of METHODS) gateway.fail(`ai ${method} /x`, once)
    const results = await allMethods(clients)
    const expected = counts(idempotent > 1 ? 2 : 1, unsafe > 1 ? 2 : 1)
    expect(await settled(gateway, expected)).toEqual(expected)
    for (const [index, method] of METHODS.entries()) {
      if (expected[method] > 1) expect(results[index]).not.toBeInstanceOf(Error)
      // A delay holds back the route's response, not the route.
      const isRun = expected[method] > 1 || (typeof fault === 'object' && 'delay' in fault)
      expect([method, runs[method]]).toEqual([method, isRun ? 1 : 0])
    }
    for (const method of UNSAFE) {
      const mayHaveRun = gateway.requests.filter((request) => request.method === method && request.status !== 429)
      expect(mayHaveRun.length).toBeLessThanOrEqual(1)
    }
  })

  it('reaches it once by fetch, which resolves for every response', async () => {
    const { gateway, clients } = await start(timeout)
    gateway.fail('*', fault)
    const expected = counts(1, 1)
    const results = await Promise.all(
      METHODS.map((method) =>
        clients[method].fetch('x', { method }).then(
          async (response) => {
            await response.body?.cancel()
            return response.status
          },
          (failure: unknown) => failure,
        ),
      ),
    )
    expect(await settled(gateway, expected)).toEqual(expected)
    // These two break in the body, which is the caller's to read.
    const isOk = error === undefined || fault === 'half-answer' || fault === 'hang-in-body'
    for (const result of results) {
      if (isOk) expect([200, 204]).toContain(result)
      else if (error.status !== undefined) expect(result).toBe(error.status)
      else expect((result as Error).constructor).toBe(error.type)
    }
  })
}

describe.concurrent('retryOnTimeout', () => {
  const faults: readonly Fault[] = ['hang', 'hang-in-body', { delay: 60_000 }]
  it.each(faults.flatMap((fault) => [undefined, 'k'].map((key) => [fault, key] as const)))(
    'retries idempotent methods and keyed requests after %j, key: %s',
    async (fault, key) => {
      const { gateway, clients } = await start()
      gateway.fail('*', fault)
      const results = await allMethods(clients, {
        timeout: TIMEOUT,
        retry: { ...RETRY, retryOnTimeout: true },
        headers: key === undefined ? {} : { 'idempotency-key': key },
      })
      // The head of a response has arrived, so the request is not retried for its body.
      const expected = fault === 'hang-in-body' ? counts(1, 1) : counts(3, key === undefined ? 1 : 3)
      expect(await settled(gateway, expected)).toEqual(expected)
      for (const [index, method] of METHODS.entries()) {
        if (fault === 'hang-in-body' && method === 'HEAD') continue
        expect(results[index]).toMatchObject({
          code: 'ERR_SERVICE_TIMEOUT',
          attempts: expected[method],
          timeoutMs: TIMEOUT,
        })
      }
    },
  )
})

describe('a connection that was never made', () => {
  it.each(METHODS)('is tried again, also by %s, for nothing can have run', async (method) => {
    const { gateway, clients } = await start()
    await gateway.close()
    const failure = (await rejection(call(clients, method))) as ServiceError
    expect(failure.constructor).toBe(ServiceNetworkError)
    expect(failure).toMatchObject({ code: 'ERR_SERVICE_NETWORK', networkCode: 'ECONNREFUSED', statusCode: 502, method })
    expect(failure.attempts).toBe(3)
    expect(await rejection(call(clients, method, { retry: 0 }))).toMatchObject({ attempts: 1 })
    expect(gateway.requests).toEqual([])
  })
})

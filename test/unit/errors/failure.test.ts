import { createServer, type Socket } from 'node:net'
import { inspect } from 'node:util'
import ky from 'ky'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { callFailure, deadlineError, handlerEndedError, requestIdOf } from '../../../src/errors/failure.ts'
import {
  type CallRecord,
  createServices,
  type ServiceClient,
  ServiceError,
  ServiceNetworkError,
  ServiceResponseError,
  type ServiceThrottledError,
  ServiceTimeoutError,
} from '../../../src/index.ts'
import { findKind } from '../../../src/signing/service-table.ts'
import { answer, IDENTITY, rejection, startRecorder } from '../../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

let count: number
let respond: (init: RequestInit) => Promise<Response>
beforeEach(() => {
  count = 0
})

function createClient(options: object = {}): ServiceClient {
  const fetch = (_: unknown, init: RequestInit = {}) => {
    count += 1
    return respond(init)
  }
  return createServices({
    services: { integration: BASE },
    credentials: IDENTITY,
    fetch,
    retry: { delay: () => 0 },
    ...options,
  }).integration
}

/** A transport that ends only when it is aborted. */
const hang = ({ signal }: RequestInit) =>
  new Promise<Response>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))

/** A response whose body stops after its first bytes, until it is aborted. */
const hangInBody = ({ signal }: RequestInit) =>
  answer(
    new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from('{"half":'))
        signal?.addEventListener('abort', () => controller.error(signal.reason))
      },
    }),
  )

describe('a response without success', () => {
  it("is a ServiceResponseError with API Gateway's message", async () => {
    respond = () =>
      answer('{"message":"Internal server error"}', {
        status: 502,
        headers: {
          'content-type': 'application/json',
          'x-amzn-errortype': 'InternalServerErrorException:http://x',
          'x-amzn-requestid': 'r-1',
        },
      })
    const error = (await rejection(
      createClient().post('publish/blog?secret=1', { json: {} }).json(),
    )) as ServiceResponseError
    expect(error).toBeInstanceOf(ServiceResponseError)
    expect(error).toBeInstanceOf(ServiceError)
    expect({ ...error, message: error.message }).toEqual({
      name: 'ServiceResponseError',
      code: 'ERR_SERVICE_RESPONSE',
      message: 'integration: POST /publish/blog: 502 InternalServerErrorException: Internal server error',
      service: 'integration',
      method: 'POST',
      path: '/publish/blog',
      attempts: 1,
      requestId: 'r-1',
      status: 502,
      data: { message: 'Internal server error' },
      statusCode: 502,
      expose: false,
    })
    expect(error.headers.get('x-amzn-requestid')).toBe('r-1')
    expect(error.cause).toBeUndefined()
  })

  const answers: [string | null, { status: number; headers?: object; statusText?: string }, string][] = [
    [
      '{"Message":"User: x is not authorized"}',
      { status: 403, headers: { 'x-amzn-errortype': 'AccessDeniedException' } },
      '403 AccessDeniedException: User: x is not authorized',
    ],
    ['{"a":1}', { status: 404, statusText: 'Not Found' }, '404 Not Found'],
    ['null', { status: 400 }, '400'],
    ['<html>\n<p>', { status: 500, headers: { 'content-type': 'text/html' } }, '500: <html>'],
    ['x'.repeat(300), { status: 500, headers: { 'content-type': 'text/plain' } }, `500: ${'x'.repeat(300)}`],
    ['x'.repeat(400), { status: 500, headers: { 'content-type': 'text/plain' } }, `500: ${'x'.repeat(300)}...`],
    [
      null,
      { status: 301, headers: { location: 'https://evil.example/x?token=hunter2' } },
      '301: redirect to https://evil.example/x not followed',
    ],
    [null, { status: 304, headers: { location: '' } }, '304: redirect to  not followed'],
    [null, { status: 307 }, '307'],
    ['{"message":"gone"}', { status: 400, headers: { location: 'https://h.example' } }, '400: gone'],
  ]
  it.each(answers)('%j with %j reads %s', async (body, init, expected) => {
    respond = () => answer(body, { ...init, headers: { 'content-type': 'application/json', ...init.headers } })
    const error = (await rejection(createClient({ retry: 0 }).get('x'))) as Error
    expect(error.message.split('\nAdd this', 1)[0]).toBe(`integration: GET /x: ${expected}`)
  })

  it("is searched only up to the length of a gateway's message", async () => {
    const refuse = (length: number) => {
      respond = () =>
        answer(`${'x'.repeat(length)}explicit deny`, { status: 403, headers: { 'x-amzn-errortype': 'SomethingElse' } })
      return rejection(createClient().get('x'))
    }
    expect(await refuse(65_523)).toMatchObject({ reason: 'access-denied' })
    expect(await refuse(65_524)).toMatchObject({ reason: 'forbidden' })
  })

  it('asks to wait where it says how long, else not', async () => {
    respond = () => answer('{}', { status: 429, headers: { 'retry-after': '2' } })
    expect(await rejection(createClient({ retry: 0 }).get('x'))).toMatchObject({ retryAfterMs: 2000 })
    respond = () => answer('{}', { status: 429 })
    const error = await rejection(createClient({ retry: 0 }).get('x'))
    expect(error).toMatchObject({ code: 'ERR_SERVICE_THROTTLED' })
    expect(error).not.toHaveProperty('retryAfterMs')
  })

  it('has a hint if the gateway throttled the call, else none', async () => {
    const throttle = (type?: string) => {
      respond = () =>
        answer(null, { status: 429, ...(type !== undefined && { headers: { 'x-amzn-errortype': type } }) })
      return rejection(createClient({ retry: 0 }).get('x')) as Promise<ServiceThrottledError>
    }
    const rate = await throttle('TooManyRequestsException')
    expect(rate).toMatchObject({
      quota: false,
      hint: expect.stringMatching(/^The gateway rejected the call for its rate/),
    })
    expect(rate.message).toBe(`integration: GET /x: 429 TooManyRequestsException\n${rate.hint}`)
    const quota = await throttle('LimitExceededException')
    expect(quota).toMatchObject({ quota: true, hint: expect.stringMatching(/^The usage plan's quota is used up/) })
    expect(quota.message).toBe(`integration: GET /x: 429 LimitExceededException\n${quota.hint}`)
    const own = await throttle()
    expect(own).toMatchObject({ quota: false, message: 'integration: GET /x: 429' })
    expect(own.hint).toBeUndefined()
  })

  it('drops the word that the cut of a long body divides, which may be half a secret', async () => {
    const text = `${'y'.repeat(65_530)} `
    respond = () => answer(`${text}${'z'.repeat(100)}`, { status: 500, headers: { 'content-type': 'text/plain' } })
    const { data } = (await rejection(createClient({ retry: 0 }).get('x'))) as ServiceResponseError
    expect(data).toBe(`${text}... [cut after 65536 bytes]`)
  })

  it('may have no headers, as a response that a hook made', () => {
    expect(requestIdOf(undefined)).toBeUndefined()
  })

  it("takes an HTTP API's request id", async () => {
    respond = () => answer('{}', { status: 404, headers: { 'apigw-requestid': 'h-1' } })
    expect(await rejection(createClient().get('x'))).toMatchObject({ requestId: 'h-1' })
  })

  it('keeps the text of a body that is declared as JSON and is not', async () => {
    respond = () => answer('<oops>', { status: 500, headers: { 'content-type': 'application/json' } })
    expect(await rejection(createClient().post('x'))).toMatchObject({ status: 500, data: '<oops>' })
  })

  it('shows neither token nor signature, however the response echoes them', async () => {
    respond = ({ headers }) => {
      const { authorization, 'x-amz-security-token': token } = Object.fromEntries(headers as Headers)
      const message = `The Canonical String was\n'x-amz-security-token:${token}\n${authorization}'`
      const body = JSON.stringify({ message, nested: [{ [`${token}`]: IDENTITY.secretAccessKey, n: 1, none: null }] })
      return answer(body, { status: 403, headers: { 'content-type': 'application/json' } })
    }
    const error = (await rejection(createClient().post('x'))) as ServiceResponseError
    const shown = inspect(error, { depth: 9 }) + JSON.stringify(error) + error.stack
    expect(shown).not.toContain(IDENTITY.sessionToken)
    expect(shown).not.toContain(IDENTITY.secretAccessKey)
    expect(shown).not.toMatch(/Signature=[\da-f]/)
    expect(error.data).toMatchObject({ nested: [{ '[redacted]': '[redacted]', n: 1, none: null }] })
  })

  it('is not an error where the call says so', async () => {
    respond = () => answer('busy', { status: 503 })
    expect(await createClient().get('x', { throwHttpErrors: false }).text()).toBe('busy')
    expect(count).toBe(1)
  })
})

it('a body above maxResponseSize is a ServiceResponseError that names the limit', async () => {
  respond = () => answer('12345')
  expect(await rejection(createClient({ maxResponseSize: 4 }).get('x').text())).toMatchObject({
    name: 'ServiceResponseError',
    message: 'integration: GET /x: 200, but the response body exceeds maxResponseSize (4 bytes)',
  })
})

it('what is no Response is a ServiceRequestError with the cause', async () => {
  respond = () => Promise.resolve('text' as never)
  expect(await rejection(createClient().post('x'))).toMatchObject({
    name: 'ServiceRequestError',
    cause: { name: 'TypeError', message: 'fetch returned something other than a Response' },
  })
})

describe('a response that is not JSON where JSON was asked for', () => {
  it('is a ServiceResponseError with the text', async () => {
    respond = () => answer('<html>', { headers: { 'x-amzn-requestid': 'r-2' } })
    const expected = {
      name: 'ServiceResponseError',
      message: 'integration: GET /x: 200, but the response is not JSON: <html>',
      status: 200,
      data: '<html>',
      requestId: 'r-2',
      cause: expect.objectContaining({ name: 'SyntaxError' }),
    }
    expect(await rejection(createClient().get('x').json())).toMatchObject(expected)
    const response = await createClient().get('x')
    expect(await rejection(response.json())).toMatchObject(expected)
  })

  it('also with a parser of the caller, and with a status that is no error to it', async () => {
    const cause = new Error('too deep')
    respond = () => answer('{}', { status: 500 })
    const options = {
      throwHttpErrors: (status: number) => status !== 500,
      parseJson: () => {
        throw cause
      },
    }
    expect(await rejection(createClient().get('x', options).json())).toMatchObject({
      name: 'ServiceResponseError',
      status: 500,
      cause,
    })
  })

  it('does not let a parser quote a secret', async () => {
    respond = () => answer(`${IDENTITY.sessionToken} {`)
    const error = (await rejection(createClient().get('x').json())) as Error
    expect(error.cause).toBeUndefined()
    expect(inspect(error)).not.toContain(IDENTITY.sessionToken)
  })
})

describe('no response', () => {
  it('is a ServiceNetworkError with the underlying cause', async () => {
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    const cause = new TypeError('fetch failed', { cause: reset })
    respond = () => Promise.reject(cause)
    const error = await rejection(createClient().post('x', { json: {} }).json())
    expect(error).toBeInstanceOf(ServiceNetworkError)
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_NETWORK',
      networkCode: 'ECONNRESET',
      attempts: 1,
      statusCode: 502,
      cause,
    })
    expect((error as Error).message).toBe('integration: POST /x: no response: ECONNRESET, read ECONNRESET')
  })

  it.each([
    [new Error('boom'), 'integration: GET /x: no response: UNKNOWN, boom'],
    ['odd', 'integration: GET /x: no response: UNKNOWN, odd'],
    [null, 'integration: GET /x: no response: UNKNOWN'],
    [new DOMException('gone', 'AbortError'), 'integration: GET /x: no response: UNKNOWN, gone'],
  ])('whatever a transport throws, %o', async (thrown, message) => {
    respond = () => Promise.reject(thrown)
    expect(await rejection(createClient({ retry: 0 }).get('x'))).toMatchObject({
      message,
      networkCode: 'UNKNOWN',
      cause: thrown instanceof Error ? { name: thrown.name, message: thrown.message } : thrown,
    })
  })

  it.each([{ expect: '100-continue' }, { 'transfer-encoding': 'chunked' }])(
    'a header that says how a connection is used, %o, is refused',
    async (headers) => {
      const { url, close } = await startRecorder()
      onTestFinished(close)
      const client = createServices({ services: { integration: url }, region: 'eu-central-1', credentials: IDENTITY })
      const error = await rejection(
        client.integration.post('x', { headers: headers as Record<string, string>, body: 'x' }),
      )
      expect(error).toMatchObject({
        code: 'ERR_SERVICE_REQUEST',
        attempts: 0,
        message: expect.stringContaining('must not be set: it controls the connection'),
      })
    },
  )

  const refusal = Object.assign(new Error('invalid dispatcher'), { code: 'UND_ERR_INVALID_ARG' })

  it.each([
    ['a fetch', new TypeError('fetch failed', { cause: refusal })],
    ['undici', refusal],
    ['Node.js', Object.assign(new TypeError('invalid dispatcher'), { code: 'ERR_INVALID_CHAR' })],
  ])('a request that %s cannot send is refused, and not sent again', async (_, thrown) => {
    respond = () => Promise.reject(thrown)
    const error = (await rejection(createClient().get('x'))) as Error
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      attempts: 0,
      message: 'integration: GET /x: cannot be sent: invalid dispatcher',
    })
    expect(error.cause).toEqual(thrown)
    expect(error.cause).not.toBe(thrown)
    expect(count).toBe(1)
  })

  it('a provider that fails in that way was not an attempt either', async () => {
    const records: CallRecord[] = []
    const onCall = (record: CallRecord) => void records.push(record)
    const credentials = () => Promise.reject(refusal)
    await rejection(createClient({ credentials, onCall }).get('x'))
    expect(records).toMatchObject([{ attempts: 0, errorCode: 'ERR_SERVICE_REQUEST' }])
  })

  it('a response cut off is a ServiceNetworkError too, for every way to read it', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half":', () => socket.destroy())
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise((resolve) => server.close(() => resolve())))
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
    const { cut } = createServices({ services: { cut: url }, region: 'eu-central-1', credentials: IDENTITY })
    const message = 'cut: GET /x: incomplete response: ECONNRESET, aborted'
    const expected = { name: 'ServiceNetworkError', service: 'cut', path: '/x', networkCode: 'ECONNRESET', message }
    expect(await rejection(cut.get('x').json())).toMatchObject(expected)
    expect(await rejection((await cut.get('x')).text())).toMatchObject(expected)
    expect(await rejection((await cut.fetch('x')).arrayBuffer())).toMatchObject(expected)
  })
})

describe('no response in time', () => {
  it.each([
    ['headers', hang],
    ['a body', hangInBody],
  ])('%s that never come end with the timeout', async (_, transport) => {
    respond = transport
    const error = await rejection(createClient().get('x', { timeout: 30 }).json())
    expect(error).toBeInstanceOf(ServiceTimeoutError)
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_TIMEOUT',
      timeoutMs: 30,
      deadline: false,
      attempts: 1,
      statusCode: 504,
    })
    expect((error as Error).message).toBe('integration: GET /x: no complete response within 30 ms')
  })

  it('names the time without data that idleTimeout allows', async () => {
    respond = hang
    expect(await rejection(createClient({ idleTimeout: 20 }).post('x'))).toMatchObject({
      name: 'ServiceTimeoutError',
      message: 'integration: POST /x: no response data for 20 ms',
      timeoutMs: 20,
      deadline: false,
    })
  })

  it('headers and body share one time', async () => {
    respond = async (init) => {
      await new Promise((resolve) => setTimeout(resolve, 60))
      return hangInBody(init)
    }
    const response = await createClient({ timeout: 100 }).get('x')
    expect(await rejection(response.text())).toMatchObject({ name: 'ServiceTimeoutError', timeoutMs: 100 })
  })

  it('ends for .fetch as well', async () => {
    respond = hang
    expect(await rejection(createClient({ timeout: 20 }).fetch('x'))).toMatchObject({
      name: 'ServiceTimeoutError',
      timeoutMs: 20,
    })
  })

  it('ends for credentials that never come, of which nothing is sent later', async () => {
    respond = () => answer()
    let release = (_: typeof IDENTITY) => {}
    const credentials = () =>
      new Promise<typeof IDENTITY>((resolve) => {
        release = resolve
      })
    const error = await rejection(createClient({ timeout: 20, credentials }).get('x'))
    expect(error).toMatchObject({ name: 'ServiceTimeoutError', attempts: 0 })
    release(IDENTITY)
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(count).toBe(0)
  })

  it("ends with a transport's own bound", async () => {
    respond = (init) =>
      hang({ ...init, signal: AbortSignal.any([init?.signal as AbortSignal, AbortSignal.timeout(20)]) })
    expect(await rejection(createClient({ timeout: 5000 }).get('x').json())).toMatchObject({
      name: 'ServiceTimeoutError',
      timeoutMs: 5000,
      deadline: false,
      attempts: 1,
      message: 'integration: GET /x: no complete response: The operation was aborted due to timeout',
    })
    expect(await rejection(createClient({ timeout: false }).post('x'))).toMatchObject({ timeoutMs: 0, deadline: false })
    // By its name: the platform's own error is of another realm in Jest.
    respond = () => Promise.reject(Object.assign(new Error('x'), { name: 'TimeoutError' }))
    expect(await rejection(createClient().post('x').json())).toMatchObject({ name: 'ServiceTimeoutError' })
  })

  it("ends with ky's totalTimeout", async () => {
    let signal: AbortSignal | null | undefined
    respond = (init) => {
      signal = init.signal
      return hang(init)
    }
    expect(await rejection(createClient().get('x', { totalTimeout: 20 }))).toMatchObject({
      name: 'ServiceTimeoutError',
      timeoutMs: 20,
      deadline: false,
    })
    // Nothing of it may go on in an environment that thaws.
    expect(signal?.aborted).toBe(true)
  })

  it("does not change an error that the caller's own hook throws", async () => {
    const hooks = { beforeRequest: [() => Promise.reject(new Error('mine'))] }
    expect(await rejection(createClient().get('x', { totalTimeout: 5000, hooks }))).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: 'integration: GET /x: mine',
    })
  })

  it('does not hide a response behind a wait that totalTimeout has no room for', async () => {
    respond = () => answer('{}', { status: 429, headers: { 'retry-after': '60' } })
    expect(await rejection(createClient().get('x', { totalTimeout: 1000 }))).toMatchObject({
      code: 'ERR_SERVICE_THROTTLED',
      retryAfterMs: 60_000,
      statusCode: 503,
      attempts: 1,
    })
  })

  it('has no timeout with timeout: false', async () => {
    respond = () => new Promise((resolve) => setTimeout(() => resolve(new Response('{}')), 40))
    expect((await createClient({ timeout: 10 }).get('x', { timeout: false })).status).toBe(200)
  })
})

describe("the caller's signal", () => {
  it.each([
    ['before', hang],
    ['in the body', hangInBody],
  ])('wins with its own reason, %s', async (_, transport) => {
    respond = transport
    const controller = new AbortController()
    const reason = { mine: true }
    setTimeout(() => controller.abort(reason), 20)
    expect(await rejection(createClient().get('x', { signal: controller.signal }).json())).toBe(reason)
    const again = AbortSignal.abort(reason)
    const sent = count
    expect(await rejection(createClient().get('x', { signal: again }))).toBe(reason)
    expect(await rejection(createClient().fetch('x', { signal: again }))).toBe(reason)
    expect(await rejection(createClient().fetch(new Request(`${BASE}/x`, { signal: again })))).toBe(reason)
    expect(await rejection(createClient().get(new Request(`${BASE}/x`, { signal: again })))).toBe(reason)
    expect(count).toBe(sent)
  })

  it('also while a retry waits', async () => {
    respond = () => answer('{}', { status: 503 })
    const signal = AbortSignal.timeout(30)
    const error = await rejection(createClient().get('x', { signal, retry: { delay: () => 10_000, jitter: false } }))
    expect(error).toBe(signal.reason)
    expect(count).toBe(1)
  })
})

it('a failure without a response has no request id', () => {
  const call = { service: 'ai', method: 'GET', path: '/x', attempts: 1 }
  const error = new ServiceError(call, 'failed', { statusCode: 502 })
  expect(error).toMatchObject({ name: 'ServiceError', message: 'ai: GET /x: failed' })
  expect(error).not.toHaveProperty('requestId')
})

const FAILING = {
  service: 'ai',
  method: 'GET',
  path: '/x',
  attempts: 1,
  secrets: new Set<string>(),
  timeout: 1,
  scope: { region: 'eu-central-1', signingName: 'execute-api' },
  rejections: findKind('execute-api'),
  tried: new Set<never>(),
}

it("the caller's own abort comes before any other failure of a call", () => {
  const call = { ...FAILING, signal: new AbortController().signal }
  const error = new ServiceNetworkError(call, 'x', { networkCode: 'ECONNRESET', cause: undefined })
  expect(callFailure(error, call)).toBe(error)
  expect(callFailure(error, { ...call, callerSignal: AbortSignal.abort('mine') })).toBe('mine')
})

it("a call that its handler's end has cut had no time left", () => {
  const signal = AbortSignal.abort(handlerEndedError(FAILING))
  expect(callFailure(new Error('cut'), { ...FAILING, signal })).toMatchObject({
    name: 'ServiceTimeoutError',
    message: 'ai: GET /x: aborted because the handler ended',
    timeoutMs: 0,
    deadline: true,
  })
})

it('a call that was not sent when the handler ended says so', () => {
  expect(handlerEndedError({ ...FAILING, attempts: 0 }).message).toBe(
    'ai: GET /x: not sent because the handler has ended',
  )
})

it.each([
  [-5, 0, 'not sent, no time left'],
  [0.4, 0, 'not sent, no time left'],
  [0.6, 1, 'no complete response within the 1 ms left'],
  [1200, 1200, 'no complete response within the 1200 ms left'],
])('a call with %d ms until the deadline had %d ms: %s', (budget, timeoutMs, problem) => {
  expect(deadlineError(FAILING, budget)).toMatchObject({
    name: 'ServiceTimeoutError',
    message: `ai: GET /x: ${problem} before the invocation's deadline`,
    timeoutMs,
    deadline: true,
  })
})

describe('retries', () => {
  afterEach(() => vi.restoreAllMocks())
  const busy = () => answer('{}', { status: 503 })
  const down = () =>
    Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNRESET' }) }))

  const cases: ['get' | 'head' | 'put' | 'delete' | 'post' | 'patch', typeof respond, object, number][] = [
    ['get', busy, {}, 3],
    ['head', busy, {}, 3],
    ['put', busy, {}, 3],
    ['delete', busy, {}, 3],
    ['post', busy, {}, 1],
    ['patch', busy, {}, 1],
    ['get', down, {}, 3],
    ['post', down, {}, 1],
    ['get', busy, { retry: { limit: 0 } }, 1],
    ['get', busy, { retry: 1 }, 2],
    ['get', busy, { retry: { methods: ['put'] } }, 1],
    ['put', busy, { retry: { methods: ['PUT'] } }, 3],
    ['get', busy, { retry: { statusCodes: [500] } }, 1],
    ['get', busy, { retry: { shouldRetry: () => false } }, 1],
    ['get', down, { retry: { shouldRetry: async () => false } }, 1],
    ['get', busy, { retry: { shouldRetry: () => undefined } }, 3],
    ['post', busy, { retry: { methods: ['post'], shouldRetry: () => true } }, 1],
    ['get', () => answer('{}', { status: 404 }), { retry: { statusCodes: [404], shouldRetry: () => true } }, 1],
    ['get', () => answer('{}', { status: 413, headers: { 'retry-after': '0' } }), {}, 1],
    ['get', hang, { timeout: 10 }, 1],
    ['get', hang, { timeout: 10, retry: { retryOnTimeout: true } }, 3],
    ['post', hang, { timeout: 10, retry: { retryOnTimeout: true } }, 1],
  ]
  it.each(cases)('%s with %o and %o is sent that often', async (method, transport, options, times) => {
    respond = transport
    const error = await rejection(createClient()[method]('x', options))
    expect(error).toBeInstanceOf(ServiceError)
    expect((error as ServiceError).attempts).toBe(times)
    expect(count).toBe(times)
  })

  it('wait with full jitter by default', async () => {
    respond = busy
    vi.spyOn(Math, 'random').mockReturnValue(0)
    await rejection(createClient({ retry: { delay: () => 60_000 } }).get('x'))
    expect(count).toBe(3)
    await rejection(createClient({ retry: { delay: () => 0, jitter: false } }).get('x'))
    expect(Math.random).toHaveBeenCalledTimes(2)
  })

  it("heed Retry-After before the delay's own measure", async () => {
    respond = () => answer('{}', { status: count === 1 ? 503 : 200, headers: { 'retry-after': '0' } })
    expect((await createClient({ retry: { delay: () => 60_000, jitter: false } }).get('x')).status).toBe(200)
  })
})

describe("an error of a caller's own hook", () => {
  it('before anything was sent is a ServiceRequestError with that cause', async () => {
    const cause = new Error('hook failed')
    const hooks = {
      beforeRequest: [
        () => {
          throw cause
        },
      ],
    }
    expect(await rejection(createClient().get('x', { hooks }).text())).toMatchObject({
      code: 'ERR_SERVICE_REQUEST',
      message: 'integration: GET /x: hook failed',
      cause,
    })
    const odd = {
      init: [
        () => {
          throw 'odd'
        },
      ],
    }
    expect(await rejection(createClient().get('x', { hooks: odd }).text())).toMatchObject({
      message: 'integration: GET /x: odd',
      cause: 'odd',
    })
  })

  it('after a response is a ServiceResponseError with that cause', async () => {
    respond = () => answer('{}')
    const cause = new Error('hook failed')
    const hooks = {
      afterResponse: [
        () => {
          throw cause
        },
      ],
    }
    expect(await rejection(createClient().get('x', { hooks }))).toMatchObject({
      code: 'ERR_SERVICE_RESPONSE',
      message: 'integration: GET /x: 200, then an error: hook failed',
      status: 200,
      cause,
    })
  })

  it("leaves ky's own errors out", async () => {
    respond = () => answer('{}')
    const hooks = { afterResponse: [() => ky.retry({ delay: 0 })] }
    const error = (await rejection(createClient().get('x', { hooks }))) as ServiceError
    expect(error).toMatchObject({
      code: 'ERR_SERVICE_RESPONSE',
      message: 'integration: GET /x: 200, and the retry rules allow no retry',
    })
    expect(count).toBe(1)
    expect(error.cause).toBeUndefined()
    expect(inspect(error)).not.toContain('ForceRetryError')
    const atLimit = (await rejection(createClient().get('x', { hooks, retry: 0 }))) as ServiceError
    expect(atLimit).toMatchObject({ code: 'ERR_SERVICE_RESPONSE', status: 200 })
    expect(inspect(atLimit)).not.toContain('ForceRetryError')
  })
})

it('the promise and its body methods reject with the same failure, and no rejection is unhandled', async () => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  onTestFinished(() => {
    process.off('unhandledRejection', unhandled)
  })
  respond = () => answer('{}', { status: 404 })
  const promise = createClient().get('x')
  const error = await rejection(promise.json())
  expect(await rejection(promise)).toBe(error)
  await rejection(createClient().get('x').json())
  await rejection(createClient().get('../x').json())
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(unhandled).not.toHaveBeenCalled()
})

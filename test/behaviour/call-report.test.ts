import { Console } from 'node:console'
import { Writable } from 'node:stream'
import ky from 'ky'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type CallRecord, createServices, type SignedServicesOptions } from '../../src/index.ts'
import { answer, IDENTITY, rejection, setEnv, TRACE_ID } from '../support/helpers.ts'

const BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'

let lines: [level: string, message: string, details: unknown][]
beforeEach(() => {
  lines = []
})
const log = (level: string) => (message: string, details?: object) => void lines.push([level, message, details])
const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
const create = (fetch: typeof globalThis.fetch, options: SignedServicesOptions = {}) =>
  createServices({
    credentials: IDENTITY,
    fetch,
    logger,
    retry: { delay: () => 0 },
    ...options,
    services: { ai: BASE },
  }).ai

describe('a call is logged', () => {
  it('with one line that has neither bodies nor headers', async () => {
    setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
    let count = 0
    const fetch = () => {
      count += 1
      return answer('{"answer":"secret"}', { status: count === 1 ? 503 : 200, headers: { 'x-amzn-requestid': 'r-1' } })
    }
    await create(fetch)
      .get('jobs/1?key=secret', { headers: { 'x-key': 'secret' } })
      .json()
    const record = {
      service: 'ai',
      method: 'GET',
      path: '/jobs/1',
      status: 200,
      attempts: 2,
      durationMs: expect.any(Number),
      requestId: 'r-1',
      traceId: TRACE_ID,
    }
    expect(lines).toStrictEqual([['info', 'ai: GET /jobs/1: 200', { call: record }]])
    expect(JSON.stringify(lines)).not.toContain('secret')
  })

  it.each<[string, SignedServicesOptions, object, string | undefined]>([
    ["the invocation's own", {}, {}, TRACE_ID],
    ['none', { trace: false }, {}, undefined],
    ["the call's header", {}, { headers: { 'X-Amzn-Trace-Id': 'Root=1-call' } }, 'Root=1-call'],
    [
      "the call's header without the option",
      { trace: false },
      { headers: { 'x-amzn-trace-id': 'Root=1-a' } },
      'Root=1-a',
    ],
    ["the services' header", { headers: { 'X-Amzn-Trace-Id': 'Root=1-all' } }, {}, 'Root=1-all'],
    [
      "a hook's header",
      {},
      {
        hooks: {
          beforeRequest: [({ request }: { request: Request }) => request.headers.set('x-amzn-trace-id', 'Root=1-hook')],
        },
      },
      'Root=1-hook',
    ],
  ])('with the trace that was sent: %s', async (_, options, given, traceId) => {
    setEnv({ _X_AMZN_TRACE_ID: TRACE_ID })
    const sent: (string | null)[] = []
    const ai = create((_input, init) => {
      sent.push(new Headers(init?.headers).get('x-amzn-trace-id'))
      return answer()
    }, options)
    await ai.get('x', given)
    expect(sent).toEqual([traceId ?? null])
    const [[, , details] = []] = lines
    expect((details as { call: CallRecord }).call.traceId).toBe(traceId)
  })

  it.each([
    [
      'an answer',
      () => answer('{}', { status: 404 }),
      {},
      { status: 404, errorCode: 'ERR_SERVICE_RESPONSE', attempts: 1 },
      'ai: POST /x: 404 ERR_SERVICE_RESPONSE',
    ],
    [
      'no answer',
      () => Promise.reject(new TypeError('fetch failed')),
      {},
      { errorCode: 'ERR_SERVICE_NETWORK', attempts: 1 },
      'ai: POST /x: ERR_SERVICE_NETWORK',
    ],
    [
      'an abort',
      () => answer(),
      { signal: AbortSignal.abort() },
      { errorCode: 'ABORTED', attempts: 0 },
      'ai: POST /x: ABORTED',
    ],
    [
      'a refusal',
      () => answer(),
      { headers: { authorization: 'x' } },
      { errorCode: 'ERR_SERVICE_REQUEST', attempts: 0 },
      'ai: POST /x: ERR_SERVICE_REQUEST',
    ],
  ] as const)('that failed with %s', async (_, fetch, options, record, line) => {
    await rejection(create(fetch).post('x', options))
    const call = { service: 'ai', method: 'POST', path: '/x', durationMs: expect.any(Number), ...record }
    expect(lines).toStrictEqual([['error', line, { call }]])
  })

  it('with the time that it took', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    vi.advanceTimersByTime(1000)
    await create(() => {
      vi.advanceTimersByTime(30)
      return answer()
    }).get('x')
    expect(lines).toMatchObject([[expect.anything(), expect.anything(), { call: { durationMs: 30 } }]])
  })

  it('once, also where its response is read after it was awaited', async () => {
    const promise = create(() => answer('{}')).get('x')
    await promise
    await promise.json()
    expect(lines).toHaveLength(1)
  })

  it('by how its body ended, where the call itself reads it', async () => {
    const cut = () => answer(new ReadableStream({ pull: (stream) => stream.error(new Error('cut')) }))
    await rejection(create(cut).get('x').json())
    await rejection(
      create(() => answer('<html>'))
        .get('y')
        .json(),
    )
    const schema = {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'no' }] }) },
    } as const
    await rejection(
      create(() => answer('{}'))
        .get('z')
        .json(schema),
    )
    expect(lines.map(([level, message]) => [level, message])).toEqual([
      ['error', 'ai: GET /x: 200 ERR_SERVICE_NETWORK'],
      ['error', 'ai: GET /y: 200 ERR_SERVICE_RESPONSE'],
      ['error', 'ai: GET /z: 200 SCHEMA'],
    ])
  })

  it('without the request id of an attempt that was not the last, and as stopped where a hook stopped it', async () => {
    let count = 0
    const fetch = () => {
      count += 1
      const headers = { 'x-amzn-requestid': 'r-1' }
      return count === 1 ? answer('{}', { status: 503, headers }) : Promise.reject(new TypeError('fetch failed'))
    }
    await rejection(create(fetch, { retry: { limit: 1, delay: () => 0 } }).get('x'))
    expect(lines[0]?.[2]).toEqual({ call: expect.not.objectContaining({ requestId: 'r-1' }) })
    const stopped = create(() => answer('{}', { status: 503 })).get('x', { hooks: { beforeRetry: [() => ky.stop] } })
    expect(await stopped).toBeUndefined()
    expect(lines[1]?.slice(0, 2)).toEqual(['info', 'ai: GET /x: '])
  })

  it('to onCall, once, for every way to call', async () => {
    const records: CallRecord[] = []
    const ai = create(() => answer('{}', { status: 500 }), { onCall: (record) => void records.push(record), retry: 1 })
    await rejection(ai.put('x', { retry: { delay: () => 0 } }))
    await ai.fetch('y')
    expect(records).toMatchObject([
      { method: 'PUT', path: '/x', status: 500, attempts: 2, errorCode: 'ERR_SERVICE_RESPONSE' },
      { method: 'GET', path: '/y', status: 500, attempts: 1 },
    ])
  })

  const error = new Error('metrics are down')
  it.each([
    [
      'at once',
      () => {
        throw error
      },
    ],
    ['later', () => Promise.reject(error)],
  ])('to an onCall whose own failure, %s, is logged, never passed on', async (_, onCall: () => void) => {
    expect(
      await create(() => answer('{}'), { onCall })
        .get('x')
        .json(),
    ).toEqual({})
    await new Promise(setImmediate)
    expect(lines.at(-1)).toEqual(['warn', 'onCall failed', { error }])
  })

  it('by a logger whose own failure fails no call', async () => {
    const fail = () => {
      throw new Error('logger')
    }
    const ai = create(() => answer('{}'), { logger: { info: fail, warn: fail, error: fail }, onCall: fail })
    expect(await ai.get('x').json()).toEqual({})
    expect(await rejection(ai.get('../x'))).toMatchObject({ code: 'ERR_SERVICE_REQUEST' })
  })

  it('by console as it is', async () => {
    const written: string[] = []
    const sink = new Writable({
      write(chunk, _, done) {
        written.push(String(chunk))
        done()
      },
    })
    const ai = create(() => answer('{}', { status: 404 }), { logger: new Console(sink) })
    await rejection(ai.get('jobs/1'))
    expect(written.join('')).toMatch(
      /^ai: GET \/jobs\/1: 404 ERR_SERVICE_RESPONSE \{\n {2}call: \{\n {4}service: 'ai',/,
    )
  })

  it('not at all without a logger, except for warnings to the current console', async () => {
    const methods = ['debug', 'info', 'log', 'warn', 'error'] as const
    const spies = methods.map((method) => vi.spyOn(console, method).mockImplementation(() => {}))
    const { ai } = createServices({
      services: { ai: BASE },
      credentials: IDENTITY,
      fetch: () => answer('{}', { status: 404 }),
      onCall: () => {
        throw new Error('x')
      },
    })
    await rejection(ai.get('x'))
    ai.get('y')
    await vi.waitFor(() => expect(console.warn).toHaveBeenCalledTimes(3))
    expect(spies.map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0, 3, 0])
    for (const spy of spies) spy.mockRestore()
  })
})

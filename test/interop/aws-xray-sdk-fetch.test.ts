import { beforeAll, describe, expect, it } from 'vitest'
import {
  expectOwnSubsegments,
  OWN_TRACE,
  PROGRAM_TIMEOUT,
  type ProgramResult,
  requestsTo,
  runProgram,
} from './run-program.ts'

const CODES = ['ERR_SERVICE_AUTH', 'ERR_SERVICE_TIMEOUT', 'TimeoutError', 'ERR_SERVICE_TIMEOUT', 'ERR_SERVICE_NETWORK']

describe.concurrent.each([
  ['captureFetchGlobal', 'global'],
  ['captureFetchModule, given as `fetch` option', 'module'],
])('%s of aws-xray-sdk-fetch', (_, mode) => {
  let result: ProgramResult
  beforeAll(async () => {
    result = await runProgram('aws-xray-sdk-fetch', { args: [mode] })
  }, PROGRAM_TIMEOUT)

  it('sends the calls, and keeps signatures, bodies and errors intact', () => {
    const [first, ...others] = result.requests
    expect(first).toMatchObject({ path: '/ai/jobs/before-capture', sentBy: 'node', traces: [OWN_TRACE] })
    expect(others.filter(({ verified, sentBy }) => !verified || sentBy !== 'fetch')).toEqual([])
    const topics = ['none', 'ü', 'untraced']
    expect(requestsTo(result, '/ai/jobs').map(({ json }) => json)).toEqual(topics.map((topic) => ({ topic })))
    expect(result.notes.codes).toEqual(CODES)
  })

  // Known limit: the capture skips requests that carry the header.
  it("sends the invocation's trace alone, without a subsegment", () => {
    const start = result.requests.findIndex(({ path }) => path === '/ai/jobs/no-segment')
    const end = result.requests.findIndex(({ path }) => path === '/ai/jobs/signed-fetch')
    const traced = result.requests.slice(start, end)
    expect(traced.length).toBeGreaterThan(10)
    expect(traced.filter(({ traces }) => traces.length !== 1 || traces[0] !== OWN_TRACE)).toEqual([])
    const children = result.subsegments.filter(({ parent_id }) => parent_id === result.notes.parent)
    expect(children).toHaveLength(1)
  })

  it('sends only the trace of its own subsegment with createSignedFetch, which adds none', () => {
    const [subsegment] = expectOwnSubsegments(result, requestsTo(result, '/ai/jobs/signed-fetch'))
    expect(subsegment).toMatchObject({ parent_id: result.notes.parent, http: { response: { status: 200 } } })
  })

  it.each<[path: string, status: number | undefined]>([
    ['/ai/jobs/untraced', 200],
    ['/ai/jobs', 200],
    ['/ai/jobs/untraced-fetch', 200],
    ['/ai/denied', 403],
    ['/ai/reset', undefined],
  ])('sends the trace of its own subsegment alone with `trace: false`: %s', (path, status) => {
    const [subsegment] = expectOwnSubsegments(result, requestsTo(result, path).slice(-1))
    expect(subsegment?.parent_id).toBe(result.notes.untracedParent)
    expect(subsegment?.http?.response?.status).toBe(status)
  })

  // The subsegment may stay open: the capture sends a clone of a Request, which misses the abort after a garbage collection.
  it('sends one trace with a call that times out, which ends in time', () => {
    const [request] = requestsTo(result, '/ai/hang/untraced')
    expect(request?.traces).toEqual([expect.stringMatching(/;Parent=(?!0123456789abcdef)[\da-f]{16};/)])
    expect(result.notes.untracedTimeout).toBe('ERR_SERVICE_TIMEOUT')
  })
})

it(
  'captureFetchGlobal in manual mode traces a call that names its segment, with `trace: false`',
  async () => {
    const result = await runProgram('aws-xray-sdk-fetch-manual', { env: { LAMBDA_TASK_ROOT: undefined } })
    expect(result.requests.map(({ verified }) => verified)).toEqual([true, true])
    expect(requestsTo(result, '/ai/jobs/no-segment')).toMatchObject([{ traces: [] }])
    const [subsegment] = expectOwnSubsegments(result, requestsTo(result, '/ai/jobs/named-segment'))
    expect(subsegment?.parent_id).toBe(result.notes.parent)
  },
  PROGRAM_TIMEOUT,
)

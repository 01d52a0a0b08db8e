import { beforeAll, describe, expect, it } from 'vitest'
import {
  expectOwnSubsegments,
  OWN_TRACE,
  PROGRAM_TIMEOUT,
  type ProgramResult,
  requestsTo,
  runProgram,
} from './run-program.ts'

describe('@aws-lambda-powertools/tracer, by its defaults', () => {
  let result: ProgramResult
  beforeAll(async () => {
    result = await runProgram('powertools-tracer')
  }, PROGRAM_TIMEOUT)

  it('keeps signatures, bodies, errors and the transport', () => {
    expect(result.requests.filter(({ verified, sentBy }) => !verified || sentBy !== 'node')).toEqual([])
    expect(requestsTo(result, '/ai/jobs')).toMatchObject([{ json: { topic: 'ü' } }])
    expect(result.notes.answer).toBe('done')
    expect(result.notes.codes).toEqual([
      'ERR_SERVICE_AUTH',
      'ERR_SERVICE_TIMEOUT',
      'TimeoutError',
      'ERR_SERVICE_TIMEOUT',
      'ERR_SERVICE_NETWORK',
    ])
  })

  it.each(['tracing-off', 'no-segment'])("sends the invocation's trace alone: %s", (path) => {
    expect(requestsTo(result, `/ai/jobs/${path}`)).toMatchObject([{ traces: [OWN_TRACE] }])
  })

  it.each<[path: string, statuses: (number | undefined)[]]>([
    ['/ai/jobs/get', [200]],
    ['/ai/jobs', [200]],
    ['/ai/jobs/fetch', [200]],
    ['/ai/jobs/side-by-side-1', [200]],
    ['/ai/jobs/side-by-side-2', [200]],
    ['/ai/jobs/side-by-side-3', [200]],
    ['/ai/busy', [503, 200]],
    ['/integration/jobs/tls', [200]],
    ['/ai/denied', [403]],
    ['/ai/hang/timed-out', [undefined]],
    ['/ai/hang/aborted', [undefined]],
    ['/ai/hang-in-body', [undefined]],
    ['/ai/reset', [undefined]],
  ])("sends the trace of the Tracer's own subsegment alone: %s", (path, statuses) => {
    const subsegments = expectOwnSubsegments(result, requestsTo(result, path))
    expect(subsegments.map(({ http }) => http?.response?.status)).toEqual(statuses)
    for (const { parent_id } of subsegments) expect(parent_id).toBe(result.notes.handlerSegment)
  })

  it('follows each invocation', () => {
    expect(requestsTo(result, '/ai/jobs/second-invocation')).toMatchObject([
      { traces: [expect.stringMatching(/^Root=1-0badcafe-0123456789abcdef01234567;Parent=[\da-f]{16};Sampled=1$/)] },
    ])
  })
})

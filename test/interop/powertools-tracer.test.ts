import { beforeAll, describe, expect, it } from 'vitest'
import { expectOwnSubsegments, PROGRAM_TIMEOUT, requestsTo, runProgram } from './helpers.ts'
import { OWN_TRACE, type ProgramResult } from './programs/lambda.ts'

describe('@aws-lambda-powertools/tracer', () => {
  let result: ProgramResult
  beforeAll(async () => {
    result = await runProgram('powertools-tracer')
  }, PROGRAM_TIMEOUT)

  it('leaves every signature as it is', () => {
    const ours = result.requests.filter(({ target }) => !target.endsWith('/of-others'))
    expect(ours.filter(({ verified }) => !verified)).toEqual([])
    expect(requestsTo(result, '/ai/jobs')).toMatchObject([{ json: { topic: 'ü' } }])
    expect(result.notes.answer).toBe('done')
  })

  it.each(['before-import', 'tracing-off', 'no-segment'])('our trace goes out alone: %s', (path) => {
    expect(requestsTo(result, path)).toMatchObject([{ traces: [OWN_TRACE] }])
  })

  it.each([
    ['/jobs/get', [200]],
    ['/jobs', [200]],
    ['/jobs/fetch', [200]],
    ['/jobs/side-by-side-1', [200]],
    ['/jobs/side-by-side-2', [200]],
    ['/jobs/side-by-side-3', [200]],
    ['/jobs/sent-twice', [503, 200]],
  ])("the trace of the tracer's own subsegment goes out alone: %s", (path, statuses) => {
    const subsegments = expectOwnSubsegments(result, requestsTo(result, `/ai${path}`))
    expect(subsegments.map(({ http }) => http?.response?.status)).toEqual(statuses)
    for (const { parent_id } of subsegments) expect(parent_id).toBe(result.notes.handlerSegment)
  })

  it('what it does to the requests of others is left to it', () => {
    expect(requestsTo(result, '/of-others')).toMatchObject([{ traces: ['Root=1-others', expect.any(String)] }])
  })
})

import { beforeAll, describe, expect, it } from 'vitest'
import { expectOwnSubsegments, PROGRAM_TIMEOUT, requestsTo, runProgram } from './helpers.ts'
import { OWN_TRACE, type ProgramResult } from './programs/lambda.ts'

describe('aws-xray-sdk-fetch', () => {
  let result: ProgramResult
  beforeAll(async () => {
    result = await runProgram('aws-xray-sdk-fetch')
  }, PROGRAM_TIMEOUT)

  it('leaves signatures, bodies and errors as they are', () => {
    expect(result.requests.filter(({ verified }) => !verified)).toEqual([])
    expect(requestsTo(result, '/ai/jobs').map(({ json }) => json)).toEqual([{ topic: 'none' }, { topic: 'ü' }])
    expect(result.notes.codes).toEqual([
      'ERR_SERVICE_AUTH',
      'ERR_SERVICE_TIMEOUT',
      'TimeoutError',
      'ERR_SERVICE_NETWORK',
    ])
  })

  it('our trace goes out alone before it captures, and without a segment', () => {
    for (const path of ['before-capture', 'no-segment']) {
      expect(requestsTo(result, path)).toMatchObject([{ traces: [OWN_TRACE] }])
    }
    expect(requestsTo(result, '/ai/jobs')[0]).toMatchObject({ traces: [OWN_TRACE] })
  })

  it.each([
    ['get', [200]],
    ['fetch', [200]],
    ['signed-fetch', [200]],
    ['side-by-side-1', [200]],
    ['side-by-side-2', [200]],
    ['side-by-side-3', [200]],
    ['sent-twice', [503, 200]],
    ['denied', [403]],
    ['timed-out', [undefined]],
    ['aborted', [undefined]],
    ['reset', [undefined]],
  ])('the trace of its own subsegment goes out alone: %s', (path, statuses) => {
    const subsegments = expectOwnSubsegments(result, requestsTo(result, `/ai/jobs/${path}`))
    expect(subsegments.map(({ http }) => http?.response?.status)).toEqual(statuses)
    for (const { parent_id } of subsegments) expect(parent_id).toBe(result.notes.parent)
  })

  it('the trace of its own subsegment goes out alone: POST', () => {
    expectOwnSubsegments(result, requestsTo(result, '/ai/jobs').slice(1))
  })

  it(
    'a call names its segment in manual mode',
    async () => {
      const manual = await runProgram('aws-xray-sdk-fetch-manual')
      expect(manual.requests.map(({ verified }) => verified)).toEqual([true, true])
      expect(requestsTo(manual, 'no-segment')).toMatchObject([{ traces: [OWN_TRACE] }])
      const [subsegment] = expectOwnSubsegments(manual, requestsTo(manual, 'named-segment'))
      expect(subsegment?.parent_id).toBe(manual.notes.parent)
    },
    PROGRAM_TIMEOUT,
  )
})

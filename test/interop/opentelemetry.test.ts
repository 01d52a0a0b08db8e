import { beforeAll, describe, expect, it } from 'vitest'
import { PROGRAM_TIMEOUT, runProgram } from './helpers.ts'
import { OWN_TRACE, type ProgramResult } from './programs/lambda.ts'
import type { SeenSpan } from './programs/opentelemetry-setup.ts'

describe('@opentelemetry/instrumentation-undici', () => {
  let result: ProgramResult
  let spans: readonly SeenSpan[]
  beforeAll(async () => {
    result = await runProgram('opentelemetry')
    spans = result.notes.spans as SeenSpan[]
  }, PROGRAM_TIMEOUT)

  it('has a span for every call, retries apart, within the span of the handler', () => {
    expect(spans.map(({ url, status }) => [new URL(String(url)).pathname, status]).sort()).toEqual([
      ['/ai/jobs', 200],
      ['/ai/jobs/fetch', 200],
      ['/ai/jobs/get', 200],
      ['/ai/jobs/sent-twice', 200],
      ['/ai/jobs/sent-twice', 503],
      ['/ai/jobs/side-by-side-1', 200],
      ['/ai/jobs/side-by-side-2', 200],
      ['/ai/jobs/side-by-side-3', 200],
    ])
    for (const { parentId } of spans) expect(parentId).toBe(result.notes.parentId)
  })

  it("sends each span's traceparent, which is not signed, and leaves every signature as it is", () => {
    const sent = result.requests.flatMap(({ traceparents }) => traceparents)
    expect(sent.toSorted()).toEqual(spans.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`).sort())
    expect(result.requests.filter(({ verified }) => !verified)).toEqual([])
    expect(result.requests.filter(({ signedHeaders }) => signedHeaders.includes('traceparent'))).toEqual([])
    expect(result.requests.filter(({ signedHeaders }) => !signedHeaders.includes('host'))).toEqual([])
  })

  it('leaves our trace as it is', () => {
    expect(result.requests.map(({ traces }) => traces)).toEqual(result.requests.map(() => [OWN_TRACE]))
  })

  it(
    'has its own X-Amzn-Trace-Id in place of ours where it writes one',
    async () => {
      const { requests, notes } = await runProgram('opentelemetry', 'xray')
      expect(requests.filter(({ verified }) => !verified)).toEqual([])
      const expected = (notes.spans as SeenSpan[]).map(({ traceId, spanId }) => [
        `Root=1-${traceId.slice(0, 8)}-${traceId.slice(8)};Parent=${spanId};Sampled=1`,
      ])
      expect(requests.map(({ traces }) => traces).sort()).toEqual(expected.sort())
    },
    PROGRAM_TIMEOUT,
  )
})

import { describe, expect, it } from 'vitest'
import { expectOwnSubsegments, PROGRAM_TIMEOUT, runProgram } from './helpers.ts'

describe('@aws-lambda-powertools/tracer and @opentelemetry/instrumentation-undici', () => {
  it.each([['tracer opentelemetry'], ['opentelemetry tracer'], ['capture tracer opentelemetry']])(
    "leave one X-Amzn-Trace-Id, that of the tracer's subsegment, and one traceparent: %s",
    async (started) => {
      const order = started.split(' ')
      const result = await runProgram('tracers-together', ...order)
      expect(result.requests.map(({ verified, traceparents }) => [verified, traceparents.length])).toEqual(
        Array.from({ length: 8 }, () => [true, 1]),
      )
      const subsegments = expectOwnSubsegments(result, result.requests)
      // The tracer names them after the host without its port, and so do captures; theirs hold the tracer's.
      const parents = subsegments.map(({ parent_id }) => result.subsegments.find(({ id }) => id === parent_id)?.name)
      expect(new Set(parents)).toEqual(new Set([order.includes('capture') ? '127.0.0.1' : 'handler']))
    },
    PROGRAM_TIMEOUT,
  )
})

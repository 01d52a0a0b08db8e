import { describe, expect, it } from 'vitest'
import { OWN_TRACE, PROGRAM_TIMEOUT, type ProgramResult, runProgram, type SeenRequest } from './run-program.ts'

type Writer = 'this package' | 'X-Ray' | 'OpenTelemetry' | 'unknown'

/** Who wrote each X-Amzn-Trace-Id of a request. */
function writersOf({ traces, traceparents }: SeenRequest, { subsegments }: ProgramResult): Writer[] {
  return traces.map((trace) => {
    if (trace === OWN_TRACE) return 'this package'
    const [, root = '', parent] = /^Root=1-([\da-f-]+);Parent=([\da-f]{16});Sampled=1$/.exec(trace) ?? []
    if (subsegments.some(({ id }) => id === parent)) return 'X-Ray'
    return traceparents.includes(`00-${root.replace('-', '')}-${parent}-01`) ? 'OpenTelemetry' : 'unknown'
  })
}

/** Fails unless each request is verified and has these writers and this number of traceparents. */
async function expectWriters(started: string, writers: Writer[], traceparents: number): Promise<void> {
  const result = await runProgram('several-tracers', {
    args: started.split(' '),
    ...(started.includes('opentelemetry') && { preload: 'opentelemetry-hook' }),
  })
  expect(result.requests.map((request) => [request.verified, request.traceparents.length])).toEqual(
    Array.from({ length: 9 }, () => [true, traceparents]),
  )
  for (const request of result.requests) expect(writersOf(request, result), request.path).toEqual(writers)
}

describe('several tracers', () => {
  it.concurrent.each<[started: string, writer: Writer, traceparents: number]>([
    ['opentelemetry tracer xray', 'X-Ray', 1],
    // When OpenTelemetry starts, it replaces the function that the Tracer has put on the module.
    ['tracer opentelemetry', 'this package', 1],
    ['tracer opentelemetry xray', 'OpenTelemetry', 1],
    ['tracer fetch untraced', 'X-Ray', 0],
  ])(
    'send one X-Amzn-Trace-Id, and one traceparent where OpenTelemetry is: %s',
    (started, writer, traceparents) => expectWriters(started, [writer], traceparents),
    PROGRAM_TIMEOUT,
  )

  // Known limit: the Tracer adds its header to undici's requests without checking whether there is one.
  it.concurrent.each<[started: string, writers: Writer[]]>([
    ['tracer fetch', ['this package', 'X-Ray']],
    ['capture tracer', ['this package', 'X-Ray']],
    // Both are the tracers' own.
    ['capture tracer untraced', ['X-Ray', 'X-Ray']],
  ])(
    'send two X-Amzn-Trace-Id where global fetch sends the calls: %s',
    (started, writers) => expectWriters(started, writers, 0),
    PROGRAM_TIMEOUT,
  )
})

import { beforeAll, describe, expect, it } from 'vitest'
import type { SeenSpan } from './programs/opentelemetry-setup.ts'
import { OWN_TRACE, PROGRAM_TIMEOUT, type ProgramResult, runProgram } from './run-program.ts'

const CODES = ['ERR_SERVICE_AUTH', 'ERR_SERVICE_TIMEOUT', 'TimeoutError', 'ERR_SERVICE_TIMEOUT', 'ERR_SERVICE_NETWORK']

/** Requests of the program `opentelemetry`, retries apart. */
const PATHS = [
  '/ai/busy',
  '/ai/busy',
  '/ai/denied',
  '/ai/hang-in-body',
  '/ai/hang/aborted',
  '/ai/hang/timed-out',
  '/ai/jobs',
  '/ai/jobs/fetch',
  '/ai/jobs/get',
  '/ai/jobs/side-by-side-1',
  '/ai/jobs/side-by-side-2',
  '/ai/jobs/side-by-side-3',
  '/ai/reset',
  '/integration/jobs/tls',
]

interface Kind {
  readonly args: string
  /** Without it, OpenTelemetry changes only modules that are loaded with `require`. */
  readonly hook: boolean
  readonly sentBy: 'node' | 'fetch'
  /** Values of X-Amzn-Trace-Id. */
  readonly toTraces: (span: SeenSpan) => string[]
}

const own = () => [OWN_TRACE]

const toXrayHeader = ({ traceId, spanId }: SeenSpan) =>
  `Root=1-${traceId.slice(0, 8)}-${traceId.slice(8)};Parent=${spanId};Sampled=1`

const toTraceparent = ({ traceId, spanId }: SeenSpan) => `00-${traceId}-${spanId}-01`

const spansOf = ({ notes }: ProgramResult) => notes.spans as readonly SeenSpan[]

const run = ({ args, hook }: Pick<Kind, 'args' | 'hook'>) =>
  runProgram('opentelemetry', { args: args.split(' '), ...(hook && { preload: 'opentelemetry-hook' }) })

function expectIntact({ requests, notes }: ProgramResult): void {
  expect(requests.map(({ path }) => path).toSorted()).toEqual(PATHS)
  expect(requests.filter(({ verified }) => !verified)).toEqual([])
  expect(notes.codes).toEqual(CODES)
}

describe.concurrent.each<[name: string, kind: Kind]>([
  [
    'instrumentation-http, started before this package is imported',
    { args: 'before http', hook: true, sentBy: 'node', toTraces: own },
  ],
  [
    'instrumentation-http, started after this package is imported, in a CommonJS function',
    { args: 'after http require', hook: false, sentBy: 'node', toTraces: own },
  ],
  [
    'instrumentation-http and -undici with AWSXRayPropagator, started after this package is imported',
    { args: 'after http undici xray', hook: true, sentBy: 'node', toTraces: (span) => [toXrayHeader(span)] },
  ],
  [
    // Known limit: instrumentation-undici adds its header without checking whether there is one.
    'instrumentation-http and -undici with AWSXRayPropagator, with `fetch` as option: two X-Amzn-Trace-Id',
    {
      args: 'before http undici xray fetch',
      hook: true,
      sentBy: 'fetch',
      toTraces: (span) => [OWN_TRACE, toXrayHeader(span)],
    },
  ],
  [
    'instrumentation-undici with AWSXRayPropagator, with `fetch` and `trace: false` as options',
    {
      args: 'before undici xray fetch untraced',
      hook: false,
      sentBy: 'fetch',
      toTraces: (span) => [toXrayHeader(span)],
    },
  ],
])('@opentelemetry/%s', (_, kind) => {
  let result: ProgramResult
  beforeAll(async () => {
    result = await run(kind)
  }, PROGRAM_TIMEOUT)

  it('keeps signatures, errors and the transport', () => {
    expectIntact(result)
    expect(result.requests.filter(({ sentBy }) => sentBy !== kind.sentBy)).toEqual([])
  })

  it('has one span a request, below the span of the handler', () => {
    const spans = spansOf(result)
    expect(spans.map(({ path }) => path).toSorted()).toEqual(PATHS)
    for (const { path, parentId } of spans) expect(parentId, path).toBe(result.notes.parentId)
    const statusesOf = (wanted: string) => spans.filter(({ path }) => path === wanted).map(({ status }) => status)
    expect(statusesOf('/ai/busy')).toEqual([503, 200])
    expect(statusesOf('/ai/denied')).toEqual([403])
    expect(statusesOf('/integration/jobs/tls')).toEqual([200])
  })

  it("sends each span's traceparent, unsigned, and the traces", () => {
    const spans = new Map(spansOf(result).map((span) => [toTraceparent(span), span]))
    const sent = result.requests.flatMap(({ traceparents }) => traceparents)
    expect(sent.toSorted()).toEqual([...spans.keys()].toSorted())
    for (const { path, traces, traceparents, signedHeaders } of result.requests) {
      expect(traces, path).toEqual(kind.toTraces(spans.get(String(traceparents)) as SeenSpan))
      expect(signedHeaders, path).toContain('host')
      expect(signedHeaders, path).not.toContain('traceparent')
    }
  })
})

describe("no span for the package's calls, but their trace is sent", () => {
  it.concurrent.each([
    ['instrumentation-undici alone', { args: 'before undici', hook: false }],
    ['instrumentation-http in an ES module without the hook', { args: 'before http', hook: false }],
  ])(
    '%s',
    async (_, kind) => {
      const result = await run(kind)
      expectIntact(result)
      expect(spansOf(result)).toEqual([])
      for (const { path, sentBy, traces, traceparents } of result.requests) {
        expect([sentBy, traces, traceparents], path).toEqual(['node', [OWN_TRACE], []])
      }
    },
    PROGRAM_TIMEOUT,
  )
})

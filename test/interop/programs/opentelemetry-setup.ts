/** OpenTelemetry as a Lambda layer sets it up: spans for fetch, and their context in the headers. */
import {
  context,
  isSpanContextValid,
  propagation,
  type SpanContext,
  type TextMapPropagator,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

export interface SeenSpan {
  readonly spanId: string
  readonly traceId: string
  readonly parentId: string | undefined
  readonly url: unknown
  readonly status: unknown
}

type HeaderFormat = (span: SpanContext) => [name: string, value: string]

const W3C: HeaderFormat = ({ traceId, spanId }) => ['traceparent', `00-${traceId}-${spanId}-01`]
/** As AWS's own propagator writes it. */
const X_RAY: HeaderFormat = ({ traceId, spanId }) => [
  'X-Amzn-Trace-Id',
  `Root=1-${traceId.slice(0, 8)}-${traceId.slice(8)};Parent=${spanId};Sampled=1`,
]

function createPropagator(formats: readonly HeaderFormat[]): TextMapPropagator {
  return {
    inject(active, carrier, setter) {
      const span = trace.getSpanContext(active)
      if (span === undefined || !isSpanContextValid(span)) return
      for (const format of formats) setter.set(carrier, ...format(span))
    },
    extract: (active) => active,
    fields: () => [],
  }
}

/** Starts it; with `xray`, its propagator writes AWS's header as well. Gives the spans of fetch that have ended. */
export function startOpenTelemetry({ xray = false } = {}): () => SeenSpan[] {
  const exporter = new InMemorySpanExporter()
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(createPropagator(xray ? [W3C, X_RAY] : [W3C]))
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  trace.setGlobalTracerProvider(provider)
  new UndiciInstrumentation().setTracerProvider(provider)
  return () =>
    exporter.getFinishedSpans().flatMap((span) => {
      const { 'url.full': url, 'http.response.status_code': status } = span.attributes
      const { spanId, traceId } = span.spanContext()
      return url === undefined ? [] : [{ spanId, traceId, parentId: span.parentSpanContext?.spanId, url, status }]
    })
}

/** OpenTelemetry as a Lambda layer sets it up. */
import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { CompositePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { AWSXRayPropagator } from '@opentelemetry/propagator-aws-xray'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

export interface SeenSpan {
  readonly spanId: string
  readonly traceId: string
  readonly parentId: string | undefined
  readonly path: string
  readonly status: unknown
}

const exporter = new InMemorySpanExporter()

/** Starts the instrumentations `http` and `undici` that `options` names. `xray` adds a propagator that writes AWS's header. */
export function startOpenTelemetry(options: readonly string[]): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const propagators = [new W3CTraceContextPropagator(), ...(options.includes('xray') ? [new AWSXRayPropagator()] : [])]
  propagation.setGlobalPropagator(new CompositePropagator({ propagators }))
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  trace.setGlobalTracerProvider(provider)
  if (options.includes('http')) new HttpInstrumentation().setTracerProvider(provider)
  if (options.includes('undici')) new UndiciInstrumentation().setTracerProvider(provider)
}

/** Spans of requests, in the order of their ends. */
export function readSpans(): SeenSpan[] {
  const spans = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT)
  return spans.map((span) => {
    const { 'url.full': url, 'http.response.status_code': status } = span.attributes
    const { spanId, traceId } = span.spanContext()
    return { spanId, traceId, parentId: span.parentSpanContext?.spanId, path: new URL(String(url)).pathname, status }
  })
}

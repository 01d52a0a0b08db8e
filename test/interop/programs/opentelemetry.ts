/** Calls beside OpenTelemetry's instrumentation of fetch; with `xray`, its propagator writes AWS's header as well. */
import { trace } from '@opentelemetry/api'
import { createServices } from '../../../src/index.ts'
import { startLambda } from './lambda.ts'
import { startOpenTelemetry } from './opentelemetry-setup.ts'

const { gateway, finish } = await startLambda()
const readSpans = startOpenTelemetry({ xray: process.argv[2] === 'xray' })
const { ai } = createServices({ services: ['ai'], retry: { delay: () => 0 } })
const parentId = await trace.getTracer('neighbours').startActiveSpan('handler', async (span) => {
  await ai.get('jobs/get').json()
  await ai.post('jobs', { json: { topic: 'ü' } }).json()
  await (await ai.fetch('jobs/fetch')).json()
  await Promise.all(['1', '2', '3'].map((id) => ai.get(`jobs/side-by-side-${id}`).json()))
  gateway.fail('ai GET /jobs/:id', { status: 503, times: 1 })
  await ai.get('jobs/sent-twice').json()
  span.end()
  return span.spanContext().spanId
})
await finish(0, { spans: readSpans(), parentId })

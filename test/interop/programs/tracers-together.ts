/** Calls beside several tracers, which are started in the order of the arguments. */
import { createServices } from '../../../src/index.ts'
import { startLambda } from './lambda.ts'

const { gateway, finish } = await startLambda()
const { default: xray } = await import('aws-xray-sdk-core')
const { Tracer } = await import('@aws-lambda-powertools/tracer')
const { captureFetchGlobal } = await import('aws-xray-sdk-fetch')
const { startOpenTelemetry } = await import('./opentelemetry-setup.ts')
const start: Readonly<Record<string, () => unknown>> = {
  tracer: () => new Tracer(),
  opentelemetry: startOpenTelemetry,
  capture: captureFetchGlobal,
}
for (const name of process.argv.slice(2)) start[name]?.()

const { ai } = createServices({ services: ['ai'], retry: { delay: () => 0 } })
await xray.captureAsyncFunc('handler', async (subsegment) => {
  await ai.get('jobs/get')
  await ai.post('jobs', { json: { topic: 'ü' } })
  await ai.fetch('jobs/fetch')
  await Promise.all(['1', '2', '3'].map((id) => ai.get(`jobs/side-by-side-${id}`)))
  gateway.fail('ai GET /jobs/:id', { status: 503, times: 1 })
  await ai.get('jobs/sent-twice')
  subsegment?.close()
})
await finish(process.argv.includes('capture') ? 17 : 9)

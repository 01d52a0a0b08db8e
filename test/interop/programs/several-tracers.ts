/**
 * Calls beside several tracers, which start in the order of the arguments. Of these, `xray` makes OpenTelemetry write AWS's
 * header, `fetch` makes global fetch send the calls, and `untraced` turns the package's own trace off.
 */
import xray from 'aws-xray-sdk-core'
import { makeCalls } from './calls.ts'

const args = process.argv.slice(2)
const start: Readonly<Record<string, () => Promise<unknown>>> = {
  tracer: async () => new (await import('@aws-lambda-powertools/tracer')).Tracer(),
  opentelemetry: async () => (await import('./opentelemetry-setup.ts')).startOpenTelemetry(['http', 'undici', ...args]),
  capture: async () => (await import('aws-xray-sdk-fetch')).captureFetchGlobal(),
}
for (const name of args) await start[name]?.()
const { createServices } = await import('../../../src/index.ts')

const services = createServices({
  services: ['ai', 'integration'],
  retry: { delay: () => 0 },
  trace: !args.includes('untraced'),
  ...(args.includes('fetch') && { fetch }),
})
await xray.captureAsyncFunc('handler', async (subsegment) => {
  await makeCalls(services)
  subsegment?.close()
})

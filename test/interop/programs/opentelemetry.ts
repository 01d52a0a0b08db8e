/**
 * Calls beside OpenTelemetry, which starts `before` or `after` this package is imported, with the parts that the other
 * arguments name. Of these, `fetch` makes global fetch send the calls, `untraced` turns the package's own trace off, and
 * `require` loads Node.js's modules as CommonJS functions do.
 */
import { createRequire } from 'node:module'
import { trace } from '@opentelemetry/api'
import { makeCalls, makeFailingCalls } from './calls.ts'
import { readSpans, startOpenTelemetry } from './opentelemetry-setup.ts'

const [order, ...options] = process.argv.slice(2)
if (order === 'before') startOpenTelemetry(options)
const { createServices } = await import('../../../src/index.ts')
if (order === 'after') startOpenTelemetry(options)
if (options.includes('require')) {
  const require = createRequire(import.meta.url)
  require('node:http')
  require('node:https')
}

const services = createServices({
  services: ['ai', 'integration'],
  retry: { delay: () => 0 },
  trace: !options.includes('untraced'),
  ...(options.includes('fetch') && { fetch }),
})
const notes = await trace.getTracer('neighbours').startActiveSpan('handler', async (span) => {
  await makeCalls(services)
  const codes = await makeFailingCalls(services)
  span.end()
  return { codes, parentId: span.spanContext().spanId }
})
console.log(JSON.stringify({ ...notes, spans: readSpans() }))

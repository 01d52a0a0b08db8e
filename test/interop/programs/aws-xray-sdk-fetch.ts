/** Calls beside aws-xray-sdk-fetch, before it captures global fetch, then without and with an active segment. */
import { createServices, createSignedFetch } from '../../../src/index.ts'
import { startLambda } from './lambda.ts'

const { gateway, finish } = await startLambda()
const { ai } = createServices({ services: ['ai'], retry: { delay: () => 0 } })
await ai.get('jobs/before-capture')

const { default: xray } = await import('aws-xray-sdk-core')
const { captureFetchGlobal } = await import('aws-xray-sdk-fetch')
captureFetchGlobal()

const facade = xray.getSegment()
xray.setSegment(undefined as never)
await ai.get('jobs/no-segment')
await ai.post('jobs', { json: { topic: 'none' } })
xray.setSegment(facade as never)

const codes: unknown[] = []
const note = (error: { code?: unknown; name: string }) =>
  codes.push(typeof error.code === 'string' ? error.code : error.name)
let parent: string | undefined
await xray.captureAsyncFunc('handler', async (subsegment) => {
  parent = subsegment?.id
  await ai.get('jobs/get')
  await ai.post('jobs', { json: { topic: 'ü' } })
  await ai.fetch('jobs/fetch')
  await createSignedFetch({ region: 'us-east-1', service: 'execute-api' })(`${gateway.url}/ai/jobs/signed-fetch`)
  await Promise.all(['1', '2', '3'].map((id) => ai.get(`jobs/side-by-side-${id}`)))
  gateway.fail('ai GET /jobs/:id', { status: 503, times: 1 })
  await ai.get('jobs/sent-twice')
  gateway.fail('ai GET /jobs/:id', { fault: 'access-denied', times: 1 })
  await ai.get('jobs/denied').catch(note)
  const heal = gateway.fail('ai GET /jobs/:id', 'hang')
  await ai.get('jobs/timed-out', { timeout: 500, retry: 0 }).catch(note)
  await ai.get('jobs/aborted', { signal: AbortSignal.timeout(500) }).catch(note)
  heal()
  gateway.fail('ai GET /jobs/:id', { fault: 'reset-after-read', times: 1 })
  await ai.get('jobs/reset', { retry: 0 }).catch(note)
  subsegment?.close()
})
await finish(14, { codes, parent })

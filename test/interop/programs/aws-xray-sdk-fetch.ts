/** Calls beside aws-xray-sdk-fetch, which captures global fetch (`global`) or the clients' `fetch` option (`module`). */
import xray from 'aws-xray-sdk-core'
import { captureFetchGlobal, captureFetchModule } from 'aws-xray-sdk-fetch'
import { createServices, createSignedFetch } from '../../../src/index.ts'
import { makeCalls, makeFailingCalls } from './calls.ts'

const [mode] = process.argv.slice(2)
const names = ['ai', 'integration'] as const
const retry = { delay: () => 0 }

let services = createServices({ services: names, retry })
await services.ai.get('jobs/before-capture')
let option = {}
if (mode === 'global') {
  captureFetchGlobal()
} else {
  // Its types are those of node-fetch.
  const captured = captureFetchModule({ default: fetch, Request } as never) as unknown as typeof fetch
  option = { fetch: captured }
  services = createServices({ services: names, retry, ...option })
}
const untraced = createServices({ services: names, retry, trace: false, ...option })

const facade = xray.getSegment()
xray.setSegment(undefined as never)
await services.ai.get('jobs/no-segment')
await services.ai.post('jobs', { json: { topic: 'none' } })
xray.setSegment(facade as never)

const notes: Record<string, unknown> = {}
await xray.captureAsyncFunc('handler', async (subsegment) => {
  notes.parent = subsegment?.id
  await makeCalls(services)
  notes.codes = await makeFailingCalls(services)
  const signedFetch = createSignedFetch({ region: 'us-east-1', service: 'execute-api', ...option })
  await signedFetch(`${process.env.AI_SERVICE_API_URL}/jobs/signed-fetch`)
  subsegment?.close()
})
await xray.captureAsyncFunc('untraced', async (subsegment) => {
  notes.untracedParent = subsegment?.id
  await untraced.ai.get('jobs/untraced').json()
  await untraced.ai.post('jobs', { json: { topic: 'untraced' } }).json()
  await (await untraced.ai.fetch('jobs/untraced-fetch')).json()
  await untraced.ai.get('denied').catch(() => {})
  await untraced.ai.get('reset', { retry: 0 }).catch(() => {})
  subsegment?.close()
})
await xray.captureAsyncFunc('untraced-timeout', async (subsegment) => {
  const { code } = await untraced.ai.get('hang/untraced', { timeout: 300, retry: 0 }).catch((error) => error)
  notes.untracedTimeout = code
  subsegment?.close()
})
console.log(JSON.stringify(notes))
// The request of the last call may still be open: see the test.
setTimeout(() => process.exit(), 200).unref()

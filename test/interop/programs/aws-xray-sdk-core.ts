/** Calls beside X-Ray's capture of `node:http` and `node:https`, called `before` or `after` this package is imported. */
import http from 'node:http'
import https from 'node:https'
import { makeCalls, makeFailingCalls } from './calls.ts'

const [order] = process.argv.slice(2)

const capture = async () => {
  const { default: xray } = await import('aws-xray-sdk-core')
  xray.captureHTTPsGlobal(http)
  xray.captureHTTPsGlobal(https)
  return xray
}

const early = order === 'before' ? await capture() : undefined
const { createServices, createSignedFetch } = await import('../../../src/index.ts')
const services = createServices({ services: ['ai', 'integration'], retry: { delay: () => 0 } })
const { ai } = services
if (order === 'after') await ai.get('jobs/before-capture')
const xray = early ?? (await capture())

const facade = xray.getSegment()
xray.setSegment(undefined as never)
await ai.get('jobs/no-segment')
await ai.post('jobs', { json: { topic: 'none' } })
xray.setSegment(facade as never)

let parent: string | undefined
let codes: unknown
await xray.captureAsyncFunc('handler', async (subsegment) => {
  parent = subsegment?.id
  await makeCalls(services)
  await ai.get('jobs/own-header', { headers: { 'X-Amzn-Trace-Id': 'Root=1-caller' } })
  await createServices({ services: ['ai'], trace: false }).ai.get('jobs/trace-off')
  const signedFetch = createSignedFetch({ region: 'us-east-1', service: 'execute-api' })
  await signedFetch(`${process.env.AI_SERVICE_API_URL}/jobs/signed-fetch`)
  codes = await makeFailingCalls(services)
  subsegment?.close()
})
await xray.captureAsyncFunc('with-truncated-body', async (subsegment) => {
  await ai
    .get('half', { retry: 0 })
    .text()
    .catch(() => {})
  subsegment?.close()
})
console.log(JSON.stringify({ parent, codes }))

/** Calls beside aws-xray-sdk-fetch in manual mode, outside a Lambda function: a call names its segment. */
import xray from 'aws-xray-sdk-core'
import { captureFetchGlobal } from 'aws-xray-sdk-fetch'
import { createServices } from '../../../src/index.ts'

xray.enableManualMode()
captureFetchGlobal()

const { ai } = createServices({ services: ['ai'], trace: false })
const segment = new xray.Segment('worker', '1-67f1a2b3-0123456789abcdef01234567')
await ai.get('jobs/no-segment')
await ai.fetch('jobs/named-segment', { XRaySegment: segment } as RequestInit)
segment.close()
console.log(JSON.stringify({ parent: segment.id }))

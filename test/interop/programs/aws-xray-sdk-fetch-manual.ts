/** Calls beside aws-xray-sdk-fetch outside a Lambda function, where each call may name its segment. */
import { createServices } from '../../../src/index.ts'
import { startLambda, TRACE_ROOT } from './lambda.ts'

const { finish } = await startLambda()
delete process.env.LAMBDA_TASK_ROOT
const { default: xray } = await import('aws-xray-sdk-core')
const { captureFetchGlobal } = await import('aws-xray-sdk-fetch')
xray.enableManualMode()
captureFetchGlobal()

const { ai } = createServices({ services: ['ai'] })
const segment = new xray.Segment('worker', TRACE_ROOT)
await ai.get('jobs/no-segment')
await ai.fetch('jobs/named-segment', { XRaySegment: segment } as RequestInit)
segment.close()
await finish(1, { parent: segment.id })

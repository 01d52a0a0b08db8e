/** Calls beside Powertools' Tracer, before there is one, beside one that is off, without and with an active segment. */
import middy from '@middy/core'
import { createServices, type ServicesContext, signedServices } from '../../../src/index.ts'
import { startLambda } from './lambda.ts'

const { gateway, finish } = await startLambda()
const { ai } = createServices({ services: ['ai'] })
await ai.get('jobs/before-import')

const { Tracer } = await import('@aws-lambda-powertools/tracer')
const { captureLambdaHandler } = await import('@aws-lambda-powertools/tracer/middleware')
new Tracer({ enabled: false })
await ai.get('jobs/tracing-off')

const tracer = new Tracer({ serviceName: 'neighbours' })
const lambdaSegment = tracer.getSegment()
tracer.provider.setSegment(undefined as never)
await ai.get('jobs/no-segment')
tracer.provider.setSegment(lambdaSegment as never)

let handlerSegment: string | undefined
const handler = middy()
  .use(captureLambdaHandler(tracer))
  .use(signedServices({ services: ['ai'], retry: { delay: () => 0 } }))
  .handler(async (_event, { services }) => {
    handlerSegment = tracer.getSegment()?.id
    await services.ai.get('jobs/get')
    await services.ai.post('jobs', { json: { topic: 'ü' } })
    await services.ai.fetch('jobs/fetch')
    await Promise.all(['1', '2', '3'].map((id) => services.ai.get(`jobs/side-by-side-${id}`)))
    gateway.fail('ai GET /jobs/:id', { status: 503, times: 1 })
    await services.ai.get('jobs/sent-twice')
    // Somebody else's, with a trace of its own.
    await fetch(`${gateway.url}/ai/jobs/of-others`, { headers: { 'x-amzn-trace-id': 'Root=1-others' } })
    return 'done'
  })
const answer = await handler({}, { getRemainingTimeInMillis: () => 30_000 } as ServicesContext<'ai'>)
await finish(10, { answer, handlerSegment })

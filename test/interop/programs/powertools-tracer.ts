/** Two invocations beside Powertools' Tracer; before, calls while the Tracer is off and without a segment. */
import { Tracer } from '@aws-lambda-powertools/tracer'
import { captureLambdaHandler } from '@aws-lambda-powertools/tracer/middleware'
import middy from '@middy/core'
import { createServices, type ServicesContext, signedServices } from '../../../src/index.ts'
import { makeCalls, makeFailingCalls } from './calls.ts'

const { ai } = createServices({ services: ['ai'] })
new Tracer({ enabled: false })
await ai.get('jobs/tracing-off')

const tracer = new Tracer({ serviceName: 'neighbours' })
const lambdaSegment = tracer.getSegment()
tracer.provider.setSegment(undefined as never)
await ai.get('jobs/no-segment')
tracer.provider.setSegment(lambdaSegment as never)

const notes: Record<string, unknown> = {}
const handler = middy<{ isFirst: boolean }>()
  .use(captureLambdaHandler(tracer))
  .use(signedServices({ services: ['ai', 'integration'], retry: { delay: () => 0 } }))
  .handler(async ({ isFirst }, { services }) => {
    if (isFirst) {
      notes.handlerSegment = tracer.getSegment()?.id
      await makeCalls(services)
      notes.codes = await makeFailingCalls(services)
    } else {
      await services.ai.get('jobs/second-invocation')
    }
    return 'done'
  })
const invoke = (isFirst: boolean) =>
  handler({ isFirst }, { getRemainingTimeInMillis: () => 30_000 } as ServicesContext<'ai' | 'integration'>)
notes.answer = await invoke(true)
process.env._X_AMZN_TRACE_ID = 'Root=1-0badcafe-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1'
await invoke(false)
console.log(JSON.stringify(notes))

/** Invocations of a Middy handler that sends no request. */
import middy from '@middy/core'
import signedServices from 'middy-signed-services'
import { context } from './fixture.ts'

/** A handler that reads the client of each service. Without services, an empty handler without the middleware. */
export function createInvocation(count: number): () => unknown {
  if (count === 0) {
    const handler = middy().handler(async () => ({ statusCode: 204 }))
    return () => handler({}, context() as never)
  }
  const services = urls(count)
  const names = Object.keys(services)
  const handler = middy()
    .use(signedServices({ services }))
    .handler(async (_, { services }) => {
      for (const name of names) if (services[name] === undefined) throw new Error(`no client ${name}`)
      return { statusCode: 204 }
    })
  return () => handler({}, context() as never)
}

/** The work of a cold start. */
export function createSetup(count: number): () => unknown {
  const services = urls(count)
  return () => signedServices({ services })
}

function urls(count: number): Record<string, string> {
  const url = 'https://abc123.execute-api.us-east-1.amazonaws.com/prod'
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`service${index}`, url]))
}

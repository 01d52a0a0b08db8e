/** Invocations of a Middy handler that calls nobody. */
import middy from '@middy/core'
import signedServices from 'middy-signed-services'
import { context } from './fixture.ts'

const handle = async () => ({ statusCode: 204 })
const touch =
  (names: readonly string[]) =>
  async (_: unknown, { services }: { services: Record<string, unknown> }) => {
    for (const name of names) if (services[name] === undefined) throw new Error(`no client ${name}`)
    return { statusCode: 204 }
  }
const url = 'https://abc123.execute-api.us-east-1.amazonaws.com/prod'

interface Invocation {
  /** None at all: a handler without the middleware. */
  readonly services: number
  readonly touched: number
  /** With a middleware that does nothing, in each of the places that ours has. */
  readonly isHooked?: boolean
}

export async function createInvocation({ services, touched, isHooked }: Invocation) {
  const names = Array.from({ length: services }, (_, index) => `service${index}`)
  const chain = middy()
  if (isHooked) chain.use({ before: () => {}, after: () => {}, onError: () => {} })
  if (services > 0)
    chain.use(signedServices({ services: Object.fromEntries(names.map((name) => [name, url])) }) as never)
  const handler = chain.handler((touched > 0 ? touch(names.slice(0, touched)) : handle) as never)
  return () => handler({}, context() as never)
}

/** What a cold start does once for that many services. */
export async function createSetup({ services }: { services: number }) {
  const urls = Object.fromEntries(Array.from({ length: services }, (_, index) => [`service${index}`, url]))
  return () => signedServices({ services: urls })
}

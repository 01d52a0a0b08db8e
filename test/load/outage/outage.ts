import { AwsClient } from 'aws4fetch'
import ky from 'ky'
import { createServices } from '../../../src/index.ts'

const URL_BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const REGION = 'eu-central-1'
const IDENTITY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }

type OutageMethod = 'GET' | 'POST'

/** Makes one call with an environment's client. Its result does not matter. */
type Call = (method: OutageMethod) => Promise<unknown>

/** One environment of each client, with its defaults, but for the waiting between attempts. */
const CLIENTS: Readonly<Record<string, () => Call>> = {
  'middy-signed-services': () => createOurs({}),
  'middy-signed-services, `circuitBreaker: true`': () => createOurs({ circuitBreaker: true }),
  ky: () => {
    const client = ky.create({ prefix: URL_BASE, retry: { delay: () => 0 } })
    return (method) => client('jobs', { method })
  },
  aws4fetch: () => {
    // 0 would stand for its default.
    const client = new AwsClient({ ...IDENTITY, region: REGION, service: 'execute-api', initRetryMs: Number.MIN_VALUE })
    return (method) => client.fetch(`${URL_BASE}/jobs`, { method })
  },
  "the rule of AWS's SDKs": createByAwsRule,
}

export function createOurs(options: { readonly circuitBreaker?: boolean }): Call {
  const { service } = createServices({
    services: { service: URL_BASE },
    credentials: IDENTITY,
    retry: { delay: () => 0 },
    ...options,
  })
  return (method) => service('jobs', { method })
}

/**
 * The standard retry mode of AWS's SDKs, without its waiting.
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
 */
function createByAwsRule(): Call {
  let tokens = 500
  return async (method) => {
    for (let attempt = 1; ; attempt += 1) {
      const { ok, status } = await fetch(`${URL_BASE}/jobs`, { method })
      const cost = status === 429 ? 5 : 14
      if (ok || attempt === 3 || cost > tokens) return
      tokens -= cost
    }
  }
}

export interface Outage {
  /** Environments, each with its own client, as Lambda keeps them. */
  readonly environments: number
  /** Calls that each makes while the outage lasts, one after the other. */
  readonly calls: number
  /** Names of clients. Default: all. */
  readonly clients?: readonly string[]
}

/** Requests sent per call, by client and method. */
export type Multiples = ReadonlyMap<string, Readonly<Record<OutageMethod, number>>>

const unavailable = async () => new Response('{"message":"Service Unavailable"}', { status: 503 })

/** Lets each client call a service that responds to every request with a 503. */
export async function simulateOutage({ environments, calls, clients }: Outage): Promise<Multiples> {
  const measured = new Map<string, Record<OutageMethod, number>>()
  for (const [name, createClient] of Object.entries(CLIENTS)) {
    if (clients?.includes(name) === false) continue
    const multiple = async (method: OutageMethod) => {
      const environment = async () => {
        const call = createClient()
        for (let done = 0; done < calls; done += 1) await call(method).catch(() => {})
      }
      const requests = await countRequests(unavailable, () =>
        Promise.all(Array.from({ length: environments }, environment)),
      )
      return requests / (environments * calls)
    }
    measured.set(name, { GET: await multiple('GET'), POST: await multiple('POST') })
  }
  return measured
}

/** How many requests go out while something runs, each of which gets the same response. */
export async function countRequests(respond: () => Promise<Response>, run: () => Promise<unknown>): Promise<number> {
  const { fetch } = globalThis
  let requests = 0
  globalThis.fetch = () => {
    requests += 1
    return respond()
  }
  try {
    await run()
    return requests
  } finally {
    globalThis.fetch = fetch
  }
}

import { AwsClient } from 'aws4fetch'
import ky from 'ky'
import { createServices } from '../../../src/index.ts'

const URL_BASE = 'https://id.execute-api.eu-central-1.amazonaws.com/prod'
const REGION = 'eu-central-1'
const IDENTITY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }

export type OutageMethod = 'GET' | 'POST'

/** Makes one call, whatever becomes of it. */
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
}

function createOurs(options: { readonly circuitBreaker?: boolean }): Call {
  const { service } = createServices({
    services: { service: URL_BASE },
    credentials: IDENTITY,
    retry: { delay: () => 0 },
    ...options,
  })
  return (method) => service('jobs', { method })
}

export interface Outage {
  /** Environments, each with a client of its own, as Lambda keeps them. */
  readonly environments: number
  /** Calls that each makes while the outage lasts, one after the other. */
  readonly calls: number
}

/** Has each client call a service that answers every request with a 503; requests sent per call, by client and method. */
export async function simulateOutage({
  environments,
  calls,
}: Outage): Promise<ReadonlyMap<string, Readonly<Record<OutageMethod, number>>>> {
  const { fetch } = globalThis
  let requests = 0
  globalThis.fetch = async () => {
    requests += 1
    return new Response('{"message":"Service Unavailable"}', { status: 503 })
  }
  const measure = async (createClient: () => Call, method: OutageMethod) => {
    requests = 0
    const environment = async () => {
      const call = createClient()
      for (let done = 0; done < calls; done += 1) await call(method).catch(() => {})
    }
    await Promise.all(Array.from({ length: environments }, environment))
    return requests / (environments * calls)
  }
  try {
    const measured = new Map<string, Record<OutageMethod, number>>()
    for (const [name, createClient] of Object.entries(CLIENTS)) {
      measured.set(name, { GET: await measure(createClient, 'GET'), POST: await measure(createClient, 'POST') })
    }
    return measured
  } finally {
    globalThis.fetch = fetch
  }
}

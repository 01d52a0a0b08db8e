import { BatchInvokeError, batchInvokeApiGateway } from '../../src/request-signer.ts'

interface DomainEvent {
  readonly type: string
  readonly id: string
}

/** In the order of the services; a service that failed has no receipt. */
interface Notified {
  readonly receipts: readonly unknown[]
  readonly failed: readonly string[]
}

const SERVICES = ['AI', 'INTEGRATION', 'BACKGROUND']

/** Tells three services of an event, side by side. One that fails does not cost the others' receipts. */
export async function notifyServices(event: DomainEvent): Promise<Notified> {
  const requests = SERVICES.map((name) => {
    const apiUrl = process.env[`${name}_SERVICE_API_URL`]
    if (!apiUrl) throw new Error(`${name}_SERVICE_API_URL is not set`)
    return { apiUrl, method: 'POST', path: '/events', body: event }
  })
  try {
    return { receipts: await batchInvokeApiGateway(requests), failed: [] }
  } catch (error) {
    if (!(error instanceof BatchInvokeError)) throw error
    console.warn(error.message)
    return { receipts: error.results, failed: error.failedIndexes.map((index) => `${SERVICES[index]}`) }
  }
}

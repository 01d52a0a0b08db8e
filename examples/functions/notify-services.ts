import { BatchInvokeError, batchInvokeApiGateway } from 'middy-signed-services/request-signer'

interface DomainEvent {
  readonly type: string
  readonly id: string
}

/** Receipts are in the order of the services. A failed service has none. */
interface Notified {
  readonly receipts: readonly unknown[]
  readonly failed: readonly string[]
}

const SERVICES = ['AI', 'INTEGRATION', 'BACKGROUND']

/** Sends an event to three services concurrently. If one fails, the receipts of the others are returned. */
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

import { invokeApiGatewayWithRetry } from 'middy-signed-services/request-signer'

interface Order {
  readonly id: string
  readonly total: number
}

const MAX_RETRIES = 4
/** Milliseconds. The longest first wait; doubles with each retry. */
const BASE_DELAY = 100

/**
 * Confirms an order, with up to four retries. `invokeApiGatewayWithRetry` retries a POST too, so the route must be
 * idempotent. Here it is, because its path has the id of the order.
 */
export async function confirmOrder({ id, total }: Order): Promise<string> {
  const apiUrl = process.env.INTEGRATION_SERVICE_API_URL
  if (!apiUrl) throw new Error('INTEGRATION_SERVICE_API_URL is not set')
  const { confirmation } = await invokeApiGatewayWithRetry<{ confirmation: string }>(
    apiUrl,
    'POST',
    `/orders/${encodeURIComponent(id)}/confirmation`,
    { total },
    undefined,
    MAX_RETRIES,
    BASE_DELAY,
  )
  return confirmation
}

import { invokeApiGatewayWithRetry } from '../../src/request-signer.ts'

interface Order {
  readonly id: string
  readonly total: number
}

const MAX_RETRIES = 4
/** Milliseconds; doubles with each retry, and is what a wait takes at most. */
const BASE_DELAY = 100

/**
 * Confirms an order, and does not give up at the first bad answer. A POST too is sent again here, so the route must do
 * no harm when it runs twice: the order's id in its path sees to that.
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

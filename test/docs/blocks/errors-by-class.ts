import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

// #region

import { CircuitOpenError, ServiceAuthError, type ServiceClient, ServiceResponseError } from 'middy-signed-services'

/** The draft, or undefined if it does not exist or the circuit breaker is open. */
export async function findDraft(integration: ServiceClient, id: string): Promise<unknown> {
  try {
    return await integration.get(`drafts/${encodeURIComponent(id)}`).json()
  } catch (error) {
    // A missing permission is a mistake in the deployment. No fallback may hide it.
    if (error instanceof ServiceAuthError) throw error
    if (error instanceof ServiceResponseError && error.status === 404) return undefined
    if (error instanceof CircuitOpenError) return undefined
    throw error
  }
}

// #endregion

const gateway = await useGateway({ integration: { 'GET /drafts/:id': { title: 'Title' } } })
const { integration } = createServices({
  services: ['integration'],
  retry: 0,
  circuitBreaker: { failureThreshold: 1 },
})
expect(await findDraft(integration, 'd-1')).toEqual({ title: 'Title' })
gateway.fail('integration *', { status: 404, times: 1 })
expect(await findDraft(integration, 'd-1')).toBeUndefined()
gateway.fail('integration *', { fault: 'access-denied', times: 1 })
await expect(findDraft(integration, 'd-1')).rejects.toThrow(ServiceAuthError)
gateway.fail('integration *', { status: 500, times: 1 })
await expect(findDraft(integration, 'd-1')).rejects.toThrow('500')
expect(await findDraft(integration, 'd-1')).toBeUndefined()

import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /topics': [] }, integration: {}, background: {} })

// #region

import { createServices } from 'middy-signed-services'

const { ai, integration } = createServices({
  retry: 1,
  services: { ai: {}, integration: { retry: { limit: 3, backoffLimit: 1_000 } }, background: { retry: 0 } },
})

await ai.get('topics', { retry: 0 })
await ai.get('topics', { retry: { limit: 2, statusCodes: [503], retryOnTimeout: true } })

// #endregion

expect(gateway.requests).toHaveLength(2)
gateway.fail('ai *', { status: 500 })
await expect(ai.get('topics', { retry: { limit: 4, statusCodes: [503] } })).rejects.toThrow('500')
expect(gateway.requests).toHaveLength(3)
expect(integration.name).toBe('integration')

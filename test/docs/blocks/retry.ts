import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /topics': [] } })
const { ai } = createServices({ services: ['ai'] })

// #region

await ai.get('topics', { retry: 0 })
await ai.get('topics', { retry: { limit: 4, statusCodes: [503], backoffLimit: 1_000, retryOnTimeout: true } })

// #endregion

expect(gateway.requests).toHaveLength(2)
gateway.fail('ai *', { status: 500 })
await expect(ai.get('topics', { retry: { limit: 4, statusCodes: [503] } })).rejects.toThrow('500')
expect(gateway.requests).toHaveLength(3)

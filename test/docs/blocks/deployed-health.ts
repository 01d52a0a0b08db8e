import { useGateway } from '../../support/helpers.ts'

await useGateway({ integration: { 'GET /health': { status: 'healthy' } } })

// #region

import { invokeIntegrationService } from 'middy-signed-services/request-signer'
import { expect } from 'vitest'

const { status } = await invokeIntegrationService<{ status: string }>('/health', 'GET')
expect(status).toBe('healthy')

// #endregion

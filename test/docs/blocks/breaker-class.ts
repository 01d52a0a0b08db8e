import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ integration: { 'POST /publish/blog': {} } })

// #region

import { CircuitBreaker, invokeIntegrationService } from 'middy-signed-services/request-signer'

const breaker = new CircuitBreaker({ failureThreshold: 5, resetTimeout: 60_000 })

const publish = (post: object) => breaker.execute(() => invokeIntegrationService('/publish/blog', 'POST', post))

// #endregion

gateway.fail('integration *', { status: 503 })
for (let call = 1; call <= 5; call += 1) await expect(publish({})).rejects.toThrow('503')
await expect(publish({})).rejects.toMatchObject({ name: 'CircuitOpenError' })
expect(gateway.requests).toHaveLength(5)

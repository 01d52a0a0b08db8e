import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ integration: { 'POST /publish/blog': {} } })

// #region

import { invokeIntegrationService } from 'middy-signed-services/request-signer'

const post = { title: 'Title' }

// For the whole call, with its retries:
const signal = AbortSignal.timeout(5_000)
await invokeIntegrationService('/publish/blog', 'POST', post, undefined, { signal })
// For each attempt:
await invokeIntegrationService('/publish/blog', 'POST', post, undefined, { timeout: 5_000 })

// #endregion

expect(gateway.requests.map(({ json }) => json)).toEqual([post, post])

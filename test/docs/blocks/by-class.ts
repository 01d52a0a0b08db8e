import { expect, vi } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ integration: { 'POST /publish/blog': {} } })
gateway.fail('integration *', 'access-denied')
const shown = vi.spyOn(console, 'error').mockImplementation(() => {})
const post = { title: 'Title' }
const tryLater = vi.fn<(post: object, ms?: number) => Promise<void>>()

// #region

import {
  invokeIntegrationService,
  ServiceAuthError,
  ServiceResponseError,
  ServiceThrottledError,
} from 'middy-signed-services/request-signer'

try {
  await invokeIntegrationService('/publish/blog', 'POST', post)
} catch (error) {
  if (error instanceof ServiceAuthError) console.error(error.reason, error.hint)
  else if (error instanceof ServiceThrottledError) await tryLater(post, error.retryAfterMs)
  else if (error instanceof ServiceResponseError && error.status >= 500) await tryLater(post)
  else throw error
}

// #endregion

expect(shown).toHaveBeenCalledExactlyOnceWith('access-denied', expect.stringContaining('execute-api:Invoke'))
expect(tryLater).not.toHaveBeenCalled()
shown.mockRestore()
// What the texts of hand-written errors are looked through for.
for (const [fault, status] of [
  ['access-denied', '403'],
  ['quota', '429'],
  ['internal-error', '500'],
] as const) {
  gateway.fail('integration *', fault)
  await expect(invokeIntegrationService('/publish/blog', 'POST', post)).rejects.toThrow(status)
}

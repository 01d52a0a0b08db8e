import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { rejection, useGateway } from '../../support/helpers.ts'

// #region

import type { ServiceError } from 'middy-signed-services'

/** The test `error instanceof ServiceError`, also for an error of another copy of the package. */
export function isServiceError(error: unknown): error is ServiceError {
  const { code } = Object(error) as { code?: unknown }
  return typeof code === 'string' && code.startsWith('ERR_SERVICE_')
}

// #endregion

await useGateway({ ai: {} })
const { ai } = createServices({ services: ['ai'] })
expect(isServiceError(await rejection(ai.get('missing')))).toBe(true)
expect(isServiceError({ code: 'ERR_SERVICE_TIMEOUT' })).toBe(true)
for (const other of [undefined, null, 'x', new Error('x'), { code: 1 }, { code: 'ERR_SERVICES_CONFIG' }]) {
  expect(isServiceError(other)).toBe(false)
}

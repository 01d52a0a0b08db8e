import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { rejection, useGateway } from '../../support/helpers.ts'

// #region

import { ServiceAuthError, type ServiceError, ServiceResponseError } from 'middy-signed-services'

/** What a log may hold of a failed call if it may hold no content of responses. */
export function toLogEntry(error: ServiceError): Readonly<Record<string, unknown>> {
  const { code, service, method, path, attempts, requestId } = error
  return {
    ...{ code, service, method, path, attempts, requestId },
    ...(error instanceof ServiceResponseError && { status: error.status }),
    ...(error instanceof ServiceAuthError && { reason: error.reason }),
  }
}

// #endregion

const gateway = await useGateway({ ai: { 'GET /topics': [] } })
gateway.fail('ai *', 'access-denied')
const { ai } = createServices({ services: ['ai'] })
expect(toLogEntry((await rejection(ai.get('topics'))) as ServiceError)).toEqual({
  code: 'ERR_SERVICE_AUTH',
  service: 'ai',
  method: 'GET',
  path: '/topics',
  attempts: 1,
  requestId: expect.any(String),
  status: 403,
  reason: 'access-denied',
})

import type { FaultName } from '../../../src/testing/faults.ts'

/** What a process reports about itself. */
export interface Report {
  readonly invocations: number
  readonly calls: number
  /** Bytes after a garbage collection. */
  readonly heap: number
  /** Bytes of the whole process. */
  readonly resident: number
  readonly descriptors: number
  readonly handles: number
  /** Outcomes that are not the expected ones. */
  readonly unexpected: readonly string[]
}

/** The error code of a `POST` to the route of each fault. */
export const EXPECTED: Readonly<Partial<Record<FaultName, string>>> = {
  'access-denied': 'ERR_SERVICE_AUTH',
  'bad-gateway': 'ERR_SERVICE_RESPONSE',
  'half-answer': 'ERR_SERVICE_NETWORK',
  hang: 'ERR_SERVICE_TIMEOUT',
  'hang-in-body': 'ERR_SERVICE_TIMEOUT',
  'internal-error': 'ERR_SERVICE_RESPONSE',
  quota: 'ERR_SERVICE_THROTTLED',
  'reset-after-read': 'ERR_SERVICE_NETWORK',
  throttled: 'ERR_SERVICE_THROTTLED',
}

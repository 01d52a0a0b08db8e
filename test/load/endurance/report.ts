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

/** What a `POST` to the route of each name ends with; `ok` succeeds. */
export const EXPECTED: Readonly<Record<string, string>> = {
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

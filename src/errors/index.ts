export {
  attemptFailure,
  callFailure,
  deadlineError,
  type FailingCall,
  handlerEndedError,
  idleTimeoutError,
  notJsonError,
  prepareFailure,
  requestIdOf,
  retryRefused,
  timeoutError,
  tooLargeError,
} from './failure.ts'
export type { Remedy } from './hint.ts'
export { nearestName } from './nearest-name.ts'
export { type Check, describe, isFunction, isObject, listOf, members, must, orObject } from './option-checks.ts'
export * from './phrases.ts'
export { MIN_SECRET_LENGTH, REDACTION_MARK, redactCause, redactMessage, redactText, withoutControls } from './redact.ts'
export { isGatewayThrottling, isQuotaExhausted, type RejectionRules, readHealable } from './rejection.ts'
export { readRetryAfter } from './retry-after.ts'
export * from './service-errors.ts'
export { messageOf, readThrown, toShowable } from './thrown.ts'
export { isOutOfDescriptors, NOT_A_RESPONSE, readTransportError } from './transport-error.ts'
export { MAX_ERROR_BODY, TRUNCATION_MARK } from './truncate.ts'

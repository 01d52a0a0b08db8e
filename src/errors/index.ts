export {
  attemptFailure,
  callFailure,
  deadlineError,
  type FailingCall,
  handlerEndedError,
  isNeverSent,
  notJsonError,
  requestIdOf,
  retryRefused,
  timeoutError,
} from './failure.ts'
export { readErrorType, readHealable } from './refusal.ts'
export { readRetryAfter } from './retry-after.ts'
export * from './service-errors.ts'

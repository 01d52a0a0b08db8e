/** More nested errors say nothing more. */
export const MAX_ERRORS = 20

/** What is read of a value that was thrown. */
export interface Thrown {
  readonly name: unknown
  readonly message: unknown
  readonly stack: unknown
  readonly code: unknown
  readonly syscall: unknown
  readonly cause: unknown
  /** As many as anybody reads. */
  readonly errors: readonly unknown[] | undefined
}

/**
 * The members of whatever was thrown, by their shape: errors of another realm, as in Jest, are instances of no class here.
 * Getters and proxies may throw in turn; such a member is undefined.
 */
export function readThrown(value: unknown): Thrown {
  const read = (key: keyof Thrown): unknown => attempt(() => Object(value)[key])
  return {
    name: read('name'),
    message: read('message'),
    stack: read('stack'),
    code: read('code'),
    syscall: read('syscall'),
    cause: read('cause'),
    errors: attempt(() => {
      const { errors } = Object(value)
      return Array.isArray(errors) ? [...errors.slice(0, MAX_ERRORS)] : undefined
    }),
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** The value itself, or an error in place of one that cannot be looked at, as a proxy that was revoked. */
export function toShowable(value: unknown): unknown {
  try {
    Object.getPrototypeOf(Object(value))
    // Streams read it of what they are destroyed with.
    void Object(value).stack
    return value
  } catch {
    return new Error(NO_ERROR)
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  const { message } = readThrown(error)
  if (typeof message === 'string') return message
  return Object(error) === error ? NO_ERROR : String(error)
}

const NO_ERROR = 'an error without a readable message'

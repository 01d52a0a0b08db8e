/** Nested errors that are read at most: more add no information. */
export const MAX_ERRORS = 20

/** The members that are read from a thrown value. */
export interface Thrown {
  readonly name: unknown
  readonly message: unknown
  readonly stack: unknown
  readonly code: unknown
  readonly syscall: unknown
  readonly cause: unknown
  /** The first `MAX_ERRORS` of them. */
  readonly errors: readonly unknown[] | undefined
}

/**
 * Reads a thrown value by its members, not by its class: an error of another realm, as in Jest, is not an instance of
 * this realm's classes. A member whose getter throws is undefined.
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

/** The value itself, or an error in its place where it cannot be read, as a revoked proxy. */
export function toShowable(value: unknown): unknown {
  try {
    Object.getPrototypeOf(Object(value))
    // Streams read `stack` of the error that they are destroyed with.
    void Object(value).stack
    return value
  } catch {
    return new Error(NO_ERROR)
  }
}

/** The message of a thrown value. */
export function messageOf(error: unknown): string {
  const { message } = readThrown(error)
  if (typeof message === 'string') return message
  return Object(error) === error ? NO_ERROR : String(error)
}

const NO_ERROR = 'an error without a readable message'

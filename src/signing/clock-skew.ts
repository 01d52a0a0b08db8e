/** The time of signatures: the machine's clock, corrected after a gateway has rejected its time. */
export interface ClockSkew {
  /** Milliseconds since the epoch, by the clock of the origin's gateway. */
  now(origin: string): number
  /**
   * Corrects the clock from the response to a signature that was rejected for its time. True if the clock was wrong.
   */
  learn(origin: string, headers: Headers): boolean
  /** Removes the correction of an origin, because it did not help. True if there was one. */
  forget(origin: string): boolean
}

/** Tolerated clock skew in milliseconds, as in the AWS SDK. A signature is valid for five minutes. */
export const TOLERANCE_MS = 240_000

/** A gateway's date lies between these years: Signature Version 4 was published in 2012. */
const FIRST = Date.UTC(2012)
const LAST = Date.UTC(2100)

/** `machine` returns milliseconds since the epoch. */
export function createClockSkew(machine: () => number = Date.now): ClockSkew {
  const offsets = new Map<string, number>()
  const now = (origin: string) => machine() + (offsets.get(origin) ?? 0)
  return {
    now,
    learn(origin, headers) {
      const text = headers.get('date') ?? ''
      const date = Date.parse(text)
      // The parser accepts almost any text. Only this form is a valid `Date` header (RFC 9110, section 5.6.7).
      const isPlausible = date >= FIRST && date < LAST && new Date(date).toUTCString() === text
      // A response with the header `age` comes from a cache, so its date is old.
      if (!isPlausible || headers.has('age') || !(Math.abs(date - now(origin)) >= TOLERANCE_MS)) return false
      offsets.set(origin, date - machine())
      return true
    },
    forget: (origin) => offsets.delete(origin),
  }
}

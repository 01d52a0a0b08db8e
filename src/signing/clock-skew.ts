/** The time that signatures carry: the machine's, corrected where a gateway found it wrong. */
export interface ClockSkew {
  /** Milliseconds since the epoch, as the origin's gateway sees them. */
  now(origin: string): number
  /** Corrects the clock by the response to a signature refused for its time; true where it was wrong. */
  learn(origin: string, headers: Headers): boolean
  /** Forgets what was learnt of an origin, because it did not help; true where anything was. */
  forget(origin: string): boolean
}

/** As far as AWS's SDK lets a clock be off: a signature is good for five minutes. */
export const TOLERANCE_MS = 240_000

/** No gateway lives outside of these years; Signature Version 4 was published in 2012. */
const FIRST = Date.UTC(2012)
const LAST = Date.UTC(2100)

/** `machine` gives milliseconds since the epoch. */
export function createClockSkew(machine: () => number = Date.now): ClockSkew {
  const offsets = new Map<string, number>()
  const now = (origin: string) => machine() + (offsets.get(origin) ?? 0)
  return {
    now,
    learn(origin, headers) {
      const text = headers.get('date') ?? ''
      const date = Date.parse(text)
      // The parser makes a date of almost any text. Senders write this form (RFC 9110, section 5.6.7).
      const isPlausible = date >= FIRST && date < LAST && new Date(date).toUTCString() === text
      // A response with an age comes from a cache, and its date with it.
      if (!isPlausible || headers.has('age') || !(Math.abs(date - now(origin)) >= TOLERANCE_MS)) return false
      offsets.set(origin, date - machine())
      return true
    },
    forget: (origin) => offsets.delete(origin),
  }
}

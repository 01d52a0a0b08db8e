/** The time that signatures carry: the machine's, corrected where a gateway found it wrong. */
export interface ClockSkew {
  /** Milliseconds since the epoch, as the origin's gateway sees them. */
  now(origin: string): number
  /** Corrects the clock by the response to a signature refused for its time; true where it was wrong. */
  learn(origin: string, headers: Headers): boolean
  /** Forgets what was learnt of an origin, because it did not help. */
  forget(origin: string): void
}

/** As far as AWS's SDK lets a clock be off: a signature is good for five minutes. */
export const TOLERANCE_MS = 240_000

/** The form of dates that RFC 9110 (section 5.6.7) has senders write. */
const HTTP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/

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
      const date = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN
      const isPlausible = date >= FIRST && date < LAST
      // A response with an age comes from a cache, and its date with it.
      if (!isPlausible || headers.has('age') || !(Math.abs(date - now(origin)) >= TOLERANCE_MS)) return false
      offsets.set(origin, date - machine())
      return true
    },
    forget: (origin) => {
      offsets.delete(origin)
    },
  }
}

/** The time that signatures carry: the machine's, corrected where a gateway found it wrong. */
export interface ClockSkew {
  /** Milliseconds since the epoch, as the origin's gateway sees them. */
  now(origin: string): number
  /** Corrects the clock by the response to a signature refused for its time; true where it was wrong. */
  learn(origin: string, headers: Headers): boolean
}

/** As far as AWS's SDK lets a clock be off: a signature is good for five minutes. */
export const TOLERANCE_MS = 240_000

/** `machine` tells milliseconds since the epoch. */
export function createClockSkew(machine: () => number = Date.now): ClockSkew {
  const offsets = new Map<string, number>()
  const now = (origin: string) => machine() + (offsets.get(origin) ?? 0)
  return {
    now,
    learn(origin, headers) {
      const date = Date.parse(String(headers.get('date')))
      // An answer with an age comes from a cache, and its date with it.
      if (headers.has('age') || !(Math.abs(date - now(origin)) >= TOLERANCE_MS)) return false
      offsets.set(origin, date - machine())
      return true
    },
  }
}

/** Numbers above this are points in time, not delays, where a header may hold either: milliseconds since the epoch. */
const FIRST_TIMESTAMP = Date.parse('2024-01-01')

/** Headers that ask for a delay, in the order in which they are believed, and whether a number may be a point in time. */
const HEADERS: readonly (readonly [name: string, mayBeTime: boolean])[] = [
  ['retry-after', false],
  ['ratelimit-reset', true],
  ['x-ratelimit-retry-after', false],
  ['x-ratelimit-reset', true],
  ['x-rate-limit-reset', true],
]

/**
 * Milliseconds that an answer asks its caller to wait, by the headers that ky reads; undefined where it does not.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function readRetryAfter(headers: Headers, now: number = Date.now()): number | undefined {
  for (const [name, mayBeTime] of HEADERS) {
    const value = headers.get(name)
    if (value === null) continue
    if (/^\d+$/.test(value)) {
      const ms = Number(value) * 1000
      return clamp(mayBeTime && ms >= FIRST_TIMESTAMP ? ms - now : ms)
    }
    // Dates start with a weekday; the parser would make one of almost any text.
    const delay = /^[A-Z][a-z]{2}/.test(value) ? Date.parse(value) - now : Number.NaN
    return Number.isNaN(delay) ? undefined : clamp(delay)
  }
  return undefined
}

/** A number that JSON and arithmetic can hold. */
function clamp(ms: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, ms))
}

/** In milliseconds since the epoch. Where a header may contain a delay or a time, a larger number is a time. */
const FIRST_TIMESTAMP = Date.parse('2024-01-01')

/** Headers that ask for a delay, by priority, and whether their number may be a time instead of a delay. */
const HEADERS: readonly (readonly [name: string, mayBeTime: boolean])[] = [
  ['retry-after', false],
  ['ratelimit-reset', true],
  ['x-ratelimit-retry-after', false],
  ['x-ratelimit-reset', true],
  ['x-rate-limit-reset', true],
]

/**
 * Milliseconds that a response asks the client to wait, from the headers that ky reads. Undefined where it does not
 * ask.
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
    // A date starts with a weekday. The parser would accept almost any text.
    const delay = /^[A-Z][a-z]{2}/.test(value) ? Date.parse(value) - now : Number.NaN
    return Number.isNaN(delay) ? undefined : clamp(delay)
  }
  return undefined
}

/** Limits a number to the range of safe integers. */
function clamp(ms: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, ms))
}

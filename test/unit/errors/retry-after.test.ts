import { expect, it } from 'vitest'
import { readRetryAfter } from '../../../src/errors/retry-after.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
/** The first number that a header may mean as a time. */
const FIRST = Date.parse('2024-01-01') / 1000

it.each([
  [{}, undefined],
  [{ 'retry-after': '2' }, 2000],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': '1.5' }, undefined],
  [{ 'retry-after': '-1' }, undefined],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': '9'.repeat(30) }, Number.MAX_SAFE_INTEGER],
  [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:05 GMT' }, 5000],
  [{ 'retry-after': 'Wed, 31 Dec 2025 23:59:55 GMT' }, 0],
  // JavaScript would parse these as dates.
  [{ 'retry-after': '2026-01-01T00:00:05Z' }, undefined],
  [{ 'retry-after': 'Th, 01 Jan 2026 00:00:05 GMT' }, undefined],
  [{ 'retry-after': 'TH, 01 Jan 2026 00:00:05 GMT' }, undefined],
  [{ 'retry-after': '(Thu) 01 Jan 2026 00:00:05 GMT' }, undefined],
  // A large number is a time, but not in Retry-After.
  [{ 'ratelimit-reset': `${NOW / 1000 + 3}` }, 3000],
  [{ 'ratelimit-reset': `${FIRST}` }, 0],
  [{ 'ratelimit-reset': `${FIRST - 1}` }, (FIRST - 1) * 1000],
  [{ 'ratelimit-reset': '3' }, 3000],
  [{ 'x-ratelimit-reset': `${NOW / 1000 + 4}` }, 4000],
  [{ 'x-rate-limit-reset': `${NOW / 1000 + 5}` }, 5000],
  [{ 'retry-after': `${NOW / 1000}` }, NOW],
  [{ 'x-ratelimit-retry-after': `${NOW / 1000}` }, NOW],
  // The first header counts, also if it cannot be read.
  [{ 'retry-after': '1', 'ratelimit-reset': '2' }, 1000],
  [{ 'retry-after': 'soon', 'ratelimit-reset': '2' }, undefined],
])('%j asks for a wait of %j ms', (headers, expected) => {
  expect(readRetryAfter(new Headers(headers as Record<string, string>), NOW)).toBe(expected)
})

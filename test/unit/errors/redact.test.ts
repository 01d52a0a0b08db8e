import { expect, it } from 'vitest'
import { redactText } from '../../../src/errors/redact.ts'

const SECRET = 'abcdefghij'

it.each([
  ['plain', `x ${SECRET} y`, 'x [redacted] y'],
  ['percent-encoded', 'x %61bcdefghij y', 'x [redacted] y'],
  ['escaped for JSON', 'x \\u0061bcdefghij y', 'x [redacted] y'],
  ['escaped for JavaScript', 'x \\x61bcdefghij y', 'x [redacted] y'],
  ['a hexadecimal reference', 'x &#x61;bcdefghij y', 'x [redacted] y'],
  ['a decimal reference', 'x &#97;bcdefghij y', 'x [redacted] y'],
  ['divided by a reference to no character', 'x ab&#x110000;cdefghij y', '[redacted]'],
  ['encoded twice', 'x %2561bcdefghij y', '[redacted]'],
  ['only a part', 'x abcdefghi y', 'x abcdefghi y'],
])('%s: %j becomes %j', (_, text, expected) => {
  expect(redactText(text, new Set([SECRET]))).toBe(expected)
})

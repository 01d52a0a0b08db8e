import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createByteRedactor } from '../../../src/cli/redact-bytes.ts'

const redact = (chunks: readonly string[], secrets: readonly string[]) => {
  const redactor = createByteRedactor(new Set(secrets))
  const parts = chunks.map((chunk) => redactor.push(Buffer.from(chunk)))
  return Buffer.concat([...parts, redactor.end()]).toString()
}

describe('bytes', () => {
  it('lose a secret, wherever chunks end', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 40 })
    const secret = 'aabababb'
    fc.assert(
      fc.property(fc.array(letters), (chunks) => {
        expect(redact(chunks, [secret])).toBe(chunks.join('').replaceAll(secret, '[redacted]'))
      }),
    )
  })

  it('lose every secret, and keep texts that are too short to be one', () => {
    expect(redact(['first-secret short', ' second-', 'secret'], ['first-secret', 'short', 'second-secret'])).toBe(
      '[redacted] short [redacted]',
    )
  })

  it('that are not text do not change', () => {
    const redactor = createByteRedactor(new Set(['some-secret']))
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
    expect([...redactor.push(bytes), ...redactor.end()]).toEqual([...bytes])
  })

  it('are held back only where a secret may have begun', () => {
    const redactor = createByteRedactor(new Set(['some-secret']))
    expect(String(redactor.push(Buffer.from('data: 1\n\n')))).toBe('data: 1\n\n')
    expect(String(redactor.push(Buffer.from('data: some-')))).toBe('data: ')
    expect(String(redactor.push(Buffer.from('thing')))).toBe('some-thing')
    expect(redactor.end()).toHaveLength(0)
  })
})

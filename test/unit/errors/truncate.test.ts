import { describe, expect, it } from 'vitest'
import { MAX_ERROR_BODY, TRUNCATION_MARK, truncateText } from '../../../src/errors/truncate.ts'

const MARK = '... [cut after 65536 bytes]'
/** The longest word that may be half of such a secret has 48 characters: six for each of its own. */
const SECRETS = new Set(['1234', '12345678'])
const LONG = MAX_ERROR_BODY + MARK.length

it('the mark names the limit', () => {
  expect(TRUNCATION_MARK).toBe(MARK)
})

describe('a text', () => {
  it('is kept up to the length that it would have with the mark', () => {
    const text = 'x'.repeat(LONG)
    expect(truncateText(text, SECRETS)).toBe(text)
    expect(truncateText(`${text}x`, new Set())).toBe('x'.repeat(MAX_ERROR_BODY) + MARK)
  })

  it.each([
    [' ', `${'y'.repeat(MAX_ERROR_BODY - 11)} `],
    ['"', `${'y'.repeat(MAX_ERROR_BODY - 11)}"`],
    ["'", `${'y'.repeat(MAX_ERROR_BODY - 11)}'`],
    ['<', `${'y'.repeat(MAX_ERROR_BODY - 11)}<`],
    ['>', `${'y'.repeat(MAX_ERROR_BODY - 11)}>`],
    ['=', 'y'.repeat(MAX_ERROR_BODY - 48)],
  ])('loses the word that it is cut in, which may begin after %j', (separator, kept) => {
    const text = 'y'.repeat(MAX_ERROR_BODY - 11) + separator + 'z'.repeat(100)
    expect(truncateText(text, SECRETS)).toBe(kept + MARK)
  })
})

describe('a text that was cut before', () => {
  it.each([
    ['', ''],
    ['one two', 'one '],
    ['one ', 'one '],
    ['z'.repeat(40), ''],
    ['z'.repeat(48), ''],
    ['z'.repeat(49), 'z'],
    ['z'.repeat(100), 'z'.repeat(52)],
  ])('loses the word before the mark: %j becomes %j', (text, kept) => {
    expect(truncateText(text + MARK, SECRETS)).toBe(kept + MARK)
  })

  it('keeps that word without secrets', () => {
    expect(truncateText(`one two${MARK}`, new Set())).toBe(`one two${MARK}`)
  })

  it('is not one that only contains the mark', () => {
    expect(truncateText(`one two${MARK} three`, SECRETS)).toBe(`one two${MARK} three`)
  })
})

import { describe, expect, it } from 'vitest'
import { createClockSkew } from '../../../src/signing/clock-skew.ts'

describe('createClockSkew', () => {
  const MACHINE = Date.parse('2026-11-22T12:00:00Z')
  const ORIGIN = 'https://h.example'
  const clock = () => createClockSkew(() => MACHINE)
  const dated = (offset: number, extra: Record<string, string> = {}) =>
    new Headers({ date: new Date(MACHINE + offset).toUTCString(), ...extra })

  it.each([240_000, -240_000, 86_400_000])('learns an offset of %d ms, for its origin alone', (offset) => {
    const learning = clock()
    expect(learning.now(ORIGIN)).toBe(MACHINE)
    expect(learning.learn(ORIGIN, dated(offset))).toBe(true)
    expect(learning.now(ORIGIN)).toBe(MACHINE + offset)
    expect(learning.now('https://other.example')).toBe(MACHINE)
  })

  it.each([
    ['a difference under 4 minutes', dated(239_000)],
    ['an answer from a cache', dated(600_000, { age: '0' })],
    ['an answer without a date', new Headers()],
    ['a date that is none', new Headers({ date: 'yesterday' })],
    // JavaScript parses both.
    ['a date in another form', new Headers({ date: '2026-11-22T13:00:00Z' })],
    ['a year without a weekday', new Headers({ date: '2030' })],
    ['the last second before 2012', new Headers({ date: 'Sat, 31 Dec 2011 23:59:59 GMT' })],
    ['the first second of 2100', new Headers({ date: 'Fri, 01 Jan 2100 00:00:00 GMT' })],
  ])('learns nothing from %s', (_, headers) => {
    const learning = clock()
    expect(learning.learn(ORIGIN, headers)).toBe(false)
    expect(learning.now(ORIGIN)).toBe(MACHINE)
  })

  it.each(['Sun, 01 Jan 2012 00:00:00 GMT', 'Thu, 31 Dec 2099 23:59:59 GMT'])('learns the date %s', (date) => {
    const learning = clock()
    expect(learning.learn(ORIGIN, new Headers({ date }))).toBe(true)
    expect(learning.now(ORIGIN)).toBe(Date.parse(date))
  })

  it('unlearns an offset that no longer fits', () => {
    const learning = clock()
    learning.learn(ORIGIN, dated(600_000))
    expect(learning.learn(ORIGIN, dated(0))).toBe(true)
    expect(learning.now(ORIGIN)).toBe(MACHINE)
  })
})

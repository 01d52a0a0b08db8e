import { describe, expect, it } from 'vitest'
import { messageOf, readThrown, toShowable } from '../../../src/errors/thrown.ts'

const unreadable = () => {
  throw new Error('cannot be read')
}
const MEMBERS = ['name', 'message', 'stack', 'code', 'syscall', 'cause', 'errors'] as const

/** A proxy that throws whatever is done with it. */
function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

describe('reading a thrown value', () => {
  it('gives the members that an error may have', () => {
    const members = { name: 'N', message: 'm', stack: 's', code: 'C', syscall: 'connect', cause: 'c', errors: ['e'] }
    expect(readThrown({ ...members, other: 1 })).toEqual(members)
  })

  it('gives undefined for each member whose getter throws', () => {
    for (const key of MEMBERS) {
      const thrown = Object.defineProperty({ name: 'N', message: 'm' }, key, { get: unreadable })
      expect(readThrown(thrown)).toEqual({ name: 'N', message: 'm', [key]: undefined })
    }
  })

  it('gives nothing for a value without readable members', () => {
    for (const thrown of [undefined, null, 'text', 42, Symbol('x'), revokedProxy()]) {
      expect(readThrown(thrown)).toEqual({})
    }
  })

  it('gives the first twenty errors of a list', () => {
    const errors = Array.from({ length: 21 }, (_, index) => index)
    expect(readThrown({ errors }).errors).toEqual(errors.slice(0, 20))
    expect(readThrown({ errors: 'none' }).errors).toBeUndefined()
  })
})

describe('what is shown of a thrown value', () => {
  it('is the value itself', () => {
    for (const thrown of [undefined, null, 'text', {}, new Error('x')]) expect(toShowable(thrown)).toBe(thrown)
  })

  it('is an error in its place where it cannot be read', () => {
    const hidden = Object.defineProperty(new Error('x'), 'stack', { get: unreadable })
    for (const thrown of [revokedProxy(), hidden]) {
      expect(toShowable(thrown)).toEqual(new Error('an error without a readable message'))
    }
  })
})

it.each([
  [new Error('x'), 'x'],
  [{ message: '' }, ''],
  [{ message: 7 }, 'an error without a readable message'],
  [() => {}, 'an error without a readable message'],
  ['text', 'text'],
  [undefined, 'undefined'],
  [null, 'null'],
  [Symbol('x'), 'Symbol(x)'],
])('the message of %o is %j', (thrown, expected) => {
  expect(messageOf(thrown)).toBe(expected)
})

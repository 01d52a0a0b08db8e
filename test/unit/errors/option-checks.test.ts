import { describe, expect, it } from 'vitest'
import {
  type Check,
  describe as describeValue,
  isFunction,
  isObject,
  listOf,
  members,
  must,
  orObject,
} from '../../../src/errors/option-checks.ts'

const isText = (value: unknown) => typeof value === 'string'
const isTrue = (value: unknown) => value === true

function problemsOf(check: Check, value: unknown, path = 'name'): string[] {
  const problems: string[] = []
  check(value, path, problems)
  return problems
}

describe('a value that must pass a test', () => {
  it.each([
    ['x', []],
    [7, ['name: must be a text; got 7']],
    [undefined, ['name: must be a text; got undefined']],
  ])('%j has the problems %j', (value, expected) => {
    expect(problemsOf(must('a text', isText), value)).toEqual(expected)
  })

  it('adds its problem after those before it', () => {
    const problems = ['first']
    must('a text', isText)(7, 'x', problems)
    expect(problems).toEqual(['first', 'x: must be a text; got 7'])
  })
})

describe('an object with optional members', () => {
  const check = members('the client', { timeout: must('true', isTrue), retry: must('a text', isText) })

  it.each<[unknown, string[]]>([
    [{}, []],
    [{ timeout: true, retry: 'x' }, []],
    [{ timeout: undefined }, []],
    [{ timeout: 1, retry: 2 }, ['at.timeout: must be true; got 1', 'at.retry: must be a text; got 2']],
    [{ timeout: null }, ['at.timeout: must be true; got null']],
    [{ timout: true }, ['at.timout: no such option of the client; did you mean timeout?']],
    [{ unknown: 1 }, ['at.unknown: no such option of the client; the options are timeout, retry']],
    // An unknown name is a mistake, whatever its value is, and although every object inherits a member of that name.
    [{ unknown: undefined }, ['at.unknown: no such option of the client; the options are timeout, retry']],
    [{ toString: 1 }, ['at.toString: no such option of the client; the options are timeout, retry']],
    [{ unknown: 1, retry: 2 }, [expect.stringMatching(/^at\.unknown: /), 'at.retry: must be a text; got 2']],
    ['x', ['at: must be an object; got a string']],
    [[], ['at: must be an object; got an array']],
  ])('%o has the problems %j', (value, expected) => {
    expect(problemsOf(check, value, 'at')).toEqual(expected)
  })

  it('at the top is named without a path before it', () => {
    expect(problemsOf(check, { timeout: 1 }, '')).toEqual(['timeout: must be true; got 1'])
    expect(problemsOf(check, { unknown: 1 }, '')).toEqual([expect.stringMatching(/^unknown: no such option/)])
    expect(problemsOf(check, null, '')).toEqual(['options: must be an object; got null'])
  })

  it('in another object is named with the whole path', () => {
    expect(problemsOf(members('all', { inner: check }), { inner: { retry: 1 } }, 'outer')).toEqual([
      'outer.inner.retry: must be a text; got 1',
    ])
  })
})

describe('a simple value or an object', () => {
  const check = orObject('true or an object', isTrue, members('it', { size: must('a text', isText) }))

  it.each<[unknown, string[]]>([
    [true, []],
    [{ size: 'x' }, []],
    [{ size: 1 }, ['name.size: must be a text; got 1']],
    [false, ['name: must be true or an object; got false']],
    ['', ['name: must be true or an object; got an empty string']],
  ])('%j has the problems %j', (value, expected) => {
    expect(problemsOf(check, value)).toEqual(expected)
  })

  it('is not checked as an object where it is simple', () => {
    const none = orObject('anything', () => true, must('nothing', isTrue))
    expect(problemsOf(none, {})).toEqual([])
  })
})

it.each<[unknown, string[]]>([
  [[], []],
  [['a', 'b'], []],
  [['a', 1], ['name: must be a list of texts; got an array']],
  [[1, 'a'], ['name: must be a list of texts; got an array']],
  ['a', ['name: must be a list of texts; got a string']],
  [undefined, ['name: must be a list of texts; got undefined']],
])('a list of texts: %j has the problems %j', (value, expected) => {
  expect(problemsOf(listOf('texts', isText), value)).toEqual(expected)
})

it.each([
  [() => {}, true],
  [class {}, true],
  [{}, false],
  ['x', false],
  [undefined, false],
])('%o is a function: %j', (value, expected) => {
  expect(isFunction(value)).toBe(expected)
})

it.each([
  [{}, true],
  [Object.create(null), true],
  [new (class Own {})(), true],
  [[], false],
  [null, false],
  [undefined, false],
  ['x', false],
  [() => {}, false],
  [new Map(), false],
  [new Headers(), false],
])('%o is a plain object: %j', (value, expected) => {
  expect(isObject(value)).toBe(expected)
})

it.each([
  [null, 'null'],
  [undefined, 'undefined'],
  [7, '7'],
  [Number.NaN, 'NaN'],
  [false, 'false'],
  [['x'], 'an array'],
  ['', 'an empty string'],
  ['secret', 'a string'],
  [{}, 'an object'],
  [() => {}, 'a function'],
  [Symbol('secret'), 'a symbol'],
  [7n, 'a bigint'],
])('a message describes %o as %j', (value, expected) => {
  expect(describeValue(value)).toBe(expected)
})

import { describe, expect, it } from 'vitest'
import { redactCause, redactData, redactMessage, redactText, withoutControls } from '../../../src/errors/redact.ts'

const SECRET = 'abcdefghij'
const SECRETS = new Set([SECRET])

it.each([
  ['plain', `x ${SECRET} y`, 'x [redacted] y'],
  ['percent-encoded', 'x %61bcdefghij y', 'x [redacted] y'],
  ['escaped for JSON', 'x \\u0061bcdefghij y', 'x [redacted] y'],
  ['escaped for JavaScript', 'x \\x61bcdefghij y', 'x [redacted] y'],
  ['a hexadecimal reference', 'x &#x61;bcdefghij y', 'x [redacted] y'],
  ['a decimal reference', 'x &#97;bcdefghij y', 'x [redacted] y'],
  ['encoded in several ways', 'x %61&#98;\\u0063\\x64efghij y', 'x [redacted] y'],
  ['encoded, and more than once in the text', 'x %61bcdefghij y abcdefghi\\x6a z', 'x [redacted] y [redacted] z'],
  ['divided by a reference to no character', 'x ab&#x110000;cdefghij y', '[redacted]'],
  ['encoded twice', 'x %2561bcdefghij y', '[redacted]'],
  ['encoded four times', 'x %25252561bcdefghij y', '[redacted]'],
  ['encoded more often than redaction undoes', 'x %2525252561bcdefghij y', 'x %2525252561bcdefghij y'],
  ['only a part', 'x abcdefghi y', 'x abcdefghi y'],
  ['only a part, encoded', 'x %61bcdefghi y', 'x %61bcdefghi y'],
])('%s: %j becomes %j', (_, text, expected) => {
  expect(redactText(text, SECRETS)).toBe(expected)
})

it.each([
  ['%2F in upper case', 'abc/defgh', 'x abc%2Fdefgh y', 'x [redacted] y'],
  ['%2f in lower case', 'abc/defgh', 'x abc%2fdefgh y', 'x [redacted] y'],
  ['an escape with digits in upper case', 'abc/defgh', 'x abc\\u002Fdefgh y', 'x [redacted] y'],
  ['a reference in upper case', 'abc/defgh', 'x abc&#X2F;defgh y', 'x [redacted] y'],
  ['a hexadecimal reference with zeros', 'abc/defgh', 'x abc&#x0002f;defgh y', 'x [redacted] y'],
  ['a decimal reference with zeros', 'abc/defgh', 'x abc&#00047;defgh y', 'x [redacted] y'],
  ['an escaped slash', 'abc/defgh', 'x abc\\/defgh y', 'x [redacted] y'],
  ['an escaped quotation mark', 'abc"defgh', 'x abc\\"defgh y', 'x [redacted] y'],
  ['an escaped backslash', 'abc\\defgh', 'x abc\\\\defgh y', 'x [redacted] y'],
  ['named references', `&<>"'/=+`, 'x &amp;&lt;&gt;&quot;&apos;&sol;&equals;&plus; y', 'x [redacted] y'],
  ['a named reference in upper case', 'abc&defgh', 'x abc&AMP;defgh y', 'x [redacted] y'],
  ['another character', 'abc/defgh', 'x abc&sol;defgh abc&amp;defgh y', 'x [redacted] abc&amp;defgh y'],
  ['signs that stay as they are', 'ab/cd+ef=(.)', 'x %61b/cd+ef=(.) y', 'x [redacted] y'],
  ['the last character of Unicode', 'abcdefgh\u{10ffff}', 'x abcdefgh&#x10ffff; y', '[redacted]'],
])('%s: %j in %j leaves %j', (_, secret, text, expected) => {
  expect(redactText(text, new Set([secret]))).toBe(expected)
})

it.each([
  ['at its start', 'YWJjZGVmZ2hpanl5eQ==', '[redacted]nl5eQ=='],
  ['after one byte', 'eGFiY2RlZmdoaWp5eXk=', 'eG[redacted]p5eXk='],
  ['after two bytes', 'eHhhYmNkZWZnaGlqeXl5', 'eHh[redacted]qeXl5'],
])('base64 with the secret %s, %j, becomes %j', (_, text, expected) => {
  expect(redactText(text, SECRETS)).toBe(expected)
})

it.each([
  ['Pj4+Pz8/YWJjZHl5', '[redacted]Hl5'],
  ['Pj4-Pz8_YWJjZHl5', '[redacted]Hl5'],
])('base64 is found in both alphabets: %j becomes %j', (text, expected) => {
  expect(redactText(text, new Set(['>>>???abcd']))).toBe(expected)
})

it.each([
  ['1234567', 'x 1234567 y'],
  ['12345678', 'x [redacted] y'],
])('the text %j is long enough for a secret, or is kept', (secret, expected) => {
  expect(redactText(`x ${secret} y`, new Set([secret]))).toBe(expected)
})

it('adjacent control characters become one space', () => {
  expect(withoutControls('a\r\n\tb\u007fc\u009f\u2028\u2029d\u0000')).toBe('a b c d ')
})

describe('a message', () => {
  it('is one line without secrets', () => {
    expect(redactMessage(`a\r\n${SECRET}`, SECRETS)).toBe('a [redacted]')
  })

  it.each([
    [
      'Headers.append: "a b\nc" is an invalid header value.',
      'Headers.append: the given text is an invalid header value.',
    ],
    [
      'TypeError: Headers.set: "a b\nc" is an invalid header value.',
      'TypeError: Headers.set: the given text is an invalid header value.',
    ],
    ['Headers.append: a is an invalid header name.', 'Headers.append: the given text is an invalid header name.'],
    ['no Headers.append: "a" is an invalid header value.', 'no Headers.append: "a" is an invalid header value.'],
  ])('quotes no invalid header value: %j becomes %j', (message, expected) => {
    expect(redactMessage(message, new Set())).toBe(expected)
  })
})

it('the first 65,536 objects and lists of data are copied', () => {
  const data = redactData(
    Array.from({ length: 65_536 }, () => ({})),
    SECRETS,
  ) as unknown[]
  expect(data.slice(-2)).toEqual([{}, '[too deep]'])
})

describe('the copy of a cause', () => {
  const copyOf = (cause: unknown) => redactCause(cause, SECRETS) as Error & Record<string, unknown>

  it('has name, message, stack, code and system call, without secrets', () => {
    const copy = copyOf({
      name: `N ${SECRET}`,
      message: `m ${SECRET}`,
      stack: `s ${SECRET}`,
      code: `C ${SECRET}`,
      syscall: `connect ${SECRET}`,
      body: 'dropped',
    })
    expect(copy).toBeInstanceOf(Error)
    const members = Object.getOwnPropertyNames(copy).map((key) => [key, copy[key]])
    expect(Object.fromEntries(members)).toEqual({
      name: 'N [redacted]',
      message: 'm [redacted]',
      stack: 's [redacted]',
      code: 'C [redacted]',
      syscall: 'connect [redacted]',
    })
    expect(Object.keys(copy)).toEqual(['code', 'syscall'])
  })

  it('has nothing that the cause does not have, or has in another type', () => {
    for (const cause of [{}, { name: 1, message: 2, stack: 3, code: true, syscall: 4, errors: 'none' }]) {
      const copy = copyOf(cause)
      expect(Object.getOwnPropertyNames(copy).sort()).toEqual(['message', 'stack'])
      expect([copy.message, copy.stack]).toEqual(['', ''])
    }
  })

  it('keeps a code that is a number', () => {
    expect(copyOf({ code: 20 }).code).toBe(20)
  })

  it('has members that can be changed, as those of any error', () => {
    expect(Object.getOwnPropertyDescriptor(copyOf(new TypeError('x', { cause: 'y' })), 'cause')).toEqual(
      Object.getOwnPropertyDescriptor(new TypeError('x', { cause: 'y' }), 'cause'),
    )
    expect(Object.getOwnPropertyDescriptor(copyOf({ code: 'C' }), 'code')).toEqual(
      Object.getOwnPropertyDescriptor({ code: 'C' }, 'code'),
    )
  })

  it('quotes no invalid header value, neither in its message nor in its stack', () => {
    const { message, stack } = copyOf({
      message: 'Headers.set: "a" is an invalid header value.',
      stack: 'TypeError: Headers.set: "a" is an invalid header value.\n    at x',
    })
    expect(message).toBe('Headers.set: the given text is an invalid header value.')
    expect(stack).toBe('TypeError: Headers.set: the given text is an invalid header value.\n    at x')
  })

  it.each([
    [`text ${SECRET}`, 'text [redacted]'],
    [Symbol(SECRET), 'Symbol([redacted])'],
    [() => SECRET, 'an error without a readable message'],
    [42, 42],
    [false, false],
    [null, null],
    [undefined, undefined],
  ])('of %o is %j', (cause, expected) => {
    expect(redactCause(cause, SECRETS)).toBe(expected)
  })

  it('has the nested errors, without secrets', () => {
    const { cause, errors } = copyOf({ cause: new Error(SECRET), errors: [new Error(`1 ${SECRET}`), `2 ${SECRET}`] })
    expect(cause).toEqual(new Error('[redacted]'))
    expect(errors).toEqual([new Error('1 [redacted]'), '2 [redacted]'])
    expect(Object.keys(copyOf(new AggregateError([], 'x', { cause: 'y' })))).toEqual([])
  })

  it.each([
    ['cause', (inner: unknown) => ({ cause: inner }), (error: Error & { errors?: unknown[] }) => error.cause],
    ['errors', (inner: unknown) => ({ errors: [inner] }), (error: Error & { errors?: unknown[] }) => error.errors?.[0]],
  ])('ends at the tenth error nested in %s', (_, nest, nested) => {
    let cause: object = {}
    for (let level = 1; level < 12; level += 1) cause = nest(cause)
    let copies = 0
    for (let copy: unknown = copyOf(cause); copy !== undefined; copy = nested(copy as Error)) copies += 1
    expect(copies).toBe(10)
  })

  it('has at most twenty errors, itself included', () => {
    const { errors } = copyOf(new AggregateError(Array.from({ length: 20 }, () => new Error('x')))) as {
      errors?: unknown
    }
    expect(errors).toEqual([...Array.from({ length: 19 }, () => new Error('x')), undefined])
  })
})

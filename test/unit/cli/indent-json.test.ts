import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { indentJson } from '../../../src/cli/indent-json.ts'

describe('indented JSON', () => {
  it('is that of JSON.stringify', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        expect(indentJson(text)).toBe(`${JSON.stringify(JSON.parse(text), null, 2)}\n`)
      }),
    )
  })

  it('does not change the spelling of values', () => {
    expect(indentJson('{"id":12345678901234567890,"n":1.0,"s":"a\\"[,]{:}","id":2}')).toBe(
      '{\n  "id": 12345678901234567890,\n  "n": 1.0,\n  "s": "a\\"[,]{:}",\n  "id": 2\n}\n',
    )
    expect(indentJson(' [ ]\n')).toBe('[]\n')
    expect(indentJson('{"{":"["}')).toBe('{\n  "{": "["\n}\n')
    expect(indentJson('["a,","{"]')).toBe('[\n  "a,",\n  "{"\n]\n')
  })

  it.each(['', 'text', '{"a":1', '{"a":1}\n{"a":2}'])('is undefined for %j', (text) => {
    expect(indentJson(text)).toBeUndefined()
  })
})

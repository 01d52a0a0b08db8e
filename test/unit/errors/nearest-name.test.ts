import { expect, it } from 'vitest'
import { nearestName } from '../../../src/errors/nearest-name.ts'

it.each([
  ['timout', ['retry', 'timeout'], 'timeout'],
  ['Timeout', ['retry', 'timeout'], 'timeout'],
  ['Services', ['service', 'services'], 'services'],
  // One letter differs in a short name.
  ['ab', ['xy', 'ac'], 'ac'],
  ['ab', ['xy'], undefined],
  ['abcd', ['xbc'], undefined],
  // Four letters at the start suffice, three do not.
  ['cred', ['retry', 'credentials'], 'credentials'],
  ['CredentialProvider', ['retry', 'credentials'], 'credentials'],
  ['cre', ['retry', 'credentials'], undefined],
  ['unknown', ['retry', 'timeout'], undefined],
  ['x', [], undefined],
])('the name of %j most similar to %j is %j', (given, names, expected) => {
  expect(nearestName(given, names)).toBe(expected)
})

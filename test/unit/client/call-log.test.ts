import { expect, it } from 'vitest'
import { createReporter } from '../../../src/client/call-log.ts'

it('records are made only for a logger or onCall', () => {
  const logger = { info() {}, warn() {}, error() {} }
  expect(createReporter()).not.toHaveProperty('call')
  expect(createReporter(logger)).toHaveProperty('call')
  expect(createReporter(undefined, () => {})).toHaveProperty('call')
})

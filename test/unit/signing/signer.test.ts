import { describe, expect, it } from 'vitest'
import { createSign } from '../../../src/signing/signer.ts'
import { toWireUrl } from '../../../src/signing/wire-url.ts'
import { IDENTITY } from '../../support/helpers.ts'

describe('the date of a signature', () => {
  const sign = createSign({ region: 'eu-central-1', service: 'execute-api' })
  const wire = toWireUrl(new URL('https://h.example/x'), 'twice')
  const signAt = (date: Date) =>
    sign({ method: 'GET', wire, headers: {}, payloadHash: 'UNSIGNED-PAYLOAD' }, IDENTITY, date)

  it.each([
    ['2026-11-22T01:02:03.456Z', '20261122T010203Z'],
    ['9999-12-31T23:59:59.999Z', '99991231T235959Z'],
    ['0000-01-01T00:00:00.000Z', '00000101T000000Z'],
  ])('%s is written as %s', async (date, expected) => {
    const { headers } = await signAt(new Date(date))
    expect(headers['x-amz-date']).toBe(expected)
  })

  it.each(['+010000-01-01T00:00:00.000Z', '-000001-12-31T23:59:59.999Z', '+275760-09-13T00:00:00.000Z'])(
    'cannot be %s',
    (date) => {
      expect(() => signAt(new Date(date))).toThrow(new RangeError('the year has more than four digits'))
    },
  )
})

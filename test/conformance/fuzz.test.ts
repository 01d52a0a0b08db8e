import { expect, it } from 'vitest'
import { fuzzAnswers } from './fuzz/answers.ts'
import { compareSigners, fuzz } from './fuzz/fuzz.ts'

it('the verifier accepts each of 1,000 random requests', async () => {
  const seed = Date.now() % 2 ** 32
  const { sent, declined, refused } = await fuzz(1000, seed)
  expect(refused, `seed ${seed}`).toEqual([])
  expect(sent + declined).toBe(1000)
  expect(sent, `seed ${seed}`).toBeGreaterThan(900)
}, 60_000)

it('each of 500 random responses ends its call in time, with a typed error or a value, and leaves nothing behind', async () => {
  const seed = Date.now() % 2 ** 32
  const { outcomes, wrong, uncaught, growth } = await fuzzAnswers(500, seed)
  expect({ wrong, uncaught }, `seed ${seed}`).toEqual({ wrong: [], uncaught: [] })
  expect([...outcomes.keys()]).toEqual(
    expect.arrayContaining(['a value', 'ERR_SERVICE_RESPONSE', 'ERR_SERVICE_NETWORK']),
  )
  expect(growth).toBeLessThan(20_000_000)
}, 60_000)

it('odd URLs are rejected if other signers sign them, and none if this package does', async () => {
  const refused = await compareSigners()
  expect(Object.fromEntries([...refused].map(([name, urls]) => [name, urls.length]))).toEqual({
    'middy-signed-services': 0,
    aws4fetch: 1,
    'aws-sigv4-fetch': 3,
    '@aws-sdk/signature-v4': 7,
  })
})

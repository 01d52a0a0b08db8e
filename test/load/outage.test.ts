import { expect, it } from 'vitest'
import { simulateOutage } from './outage/outage.ts'

it('multiplies an outage less than its peers do', async () => {
  const { fetch } = globalThis
  const measured = await simulateOutage({ environments: 2, calls: 60 })
  expect(globalThis.fetch).toBe(fetch)
  expect(Object.fromEntries(measured)).toEqual({
    // Each environment's 500 tokens pay for 35 retries.
    'middy-signed-services': { GET: (60 + 35) / 60, POST: 1 },
    // Five calls open the circuit, each with two retries where it may.
    'middy-signed-services, `circuitBreaker: true`': { GET: 15 / 60, POST: 5 / 60 },
    ky: { GET: 3, POST: 1 },
    aws4fetch: { GET: 11, POST: 11 },
  })
})

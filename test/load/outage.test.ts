import { describe, expect, it } from 'vitest'
import { countRequests, createOurs, simulateOutage } from './outage/outage.ts'

const OURS = 'middy-signed-services'

describe('an outage', () => {
  it('is multiplied less than by our peers, in a young fleet', async () => {
    const { fetch } = globalThis
    const measured = await simulateOutage({ environments: 2, calls: 10 })
    expect(globalThis.fetch).toBe(fetch)
    expect(Object.fromEntries(measured)).toEqual({
      // The two retries that an environment begins with, and one for five further calls.
      [OURS]: { GET: 1.3, POST: 1 },
      // Five calls open the circuit.
      [`${OURS}, \`circuitBreaker: true\``]: { GET: 0.7, POST: 0.5 },
      ky: { GET: 3, POST: 1 },
      aws4fetch: { GET: 11, POST: 11 },
      // Its tokens pay for 35 retries.
      "the rule of AWS's SDKs": { GET: 3, POST: 3 },
    })
  })

  it('is multiplied less than by our peers, in an old fleet', async () => {
    const clients = [OURS, `${OURS}, \`circuitBreaker: true\``, 'ky', "the rule of AWS's SDKs"]
    const measured = Object.fromEntries(await simulateOutage({ environments: 1, calls: 100, clients }))
    expect(measured).toMatchObject({
      [OURS]: { GET: 1.21, POST: 1 },
      [`${OURS}, \`circuitBreaker: true\``]: { GET: 0.07, POST: 0.05 },
      ky: { GET: 3 },
      "the rule of AWS's SDKs": { GET: 1.35, POST: 1.35 },
    })
  })

  const throttled = async () =>
    new Response('{}', { status: 429, headers: { 'x-amzn-errortype': 'TooManyRequestsException' } })
  const refused = async () => {
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' })
  }

  it.each([
    ['a gateway that throttles', throttled],
    ['a service that takes no connection', refused],
  ])('of %s is bounded in the same way, for each method', async (_, respond) => {
    for (const [calls, bound] of [
      [10, 1.4],
      [100, 1.25],
    ] as const) {
      for (const method of ['GET', 'POST'] as const) {
        const call = createOurs({})
        const run = async () => {
          for (let done = 0; done < calls; done += 1) await call(method).catch(() => {})
        }
        const multiple = (await countRequests(respond, run)) / calls
        expect(multiple).toBeGreaterThan(1)
        expect(multiple).toBeLessThanOrEqual(bound)
      }
    }
  })
})

describe('a call', () => {
  const status = (code: number) => async () => new Response('{}', { status: code })

  it('that is the only one keeps its two retries', async () => {
    expect(await countRequests(status(503), () => createOurs({})('GET').catch(() => {}))).toBe(3)
  })

  it('keeps them after an outage has ended', async () => {
    const call = createOurs({})
    const during = () => call('GET').catch(() => {})
    for (let count = 0; count < 3; count += 1) await countRequests(status(503), during)
    expect(await countRequests(status(503), during)).toBe(1)
    expect(await countRequests(status(200), () => call('GET'))).toBe(1)
    expect(await countRequests(status(503), during)).toBe(3)
  })

  it('to a service that fails now and then succeeds nearly always, as with ky', async () => {
    let seed = 1
    // A fifth of the requests fails: Lehmer's random numbers, the same in each run.
    const respond = async () => {
      seed = (seed * 48_271) % 2_147_483_647
      return new Response('{}', { status: seed % 5 === 0 ? 503 : 200 })
    }
    const call = createOurs({})
    let failed = 0
    const run = async () => {
      for (let count = 0; count < 300; count += 1) await call('GET').catch(() => (failed += 1))
    }
    const requests = await countRequests(respond, run)
    expect(failed / 300).toBeLessThan(0.02)
    expect(requests / 300).toBeLessThan(1.35)
  })
})

import { beforeEach, describe, expect, it } from 'vitest'
import { CircuitBreaker, CircuitOpenError } from '../../src/request-signer.ts'
import { rejection } from '../support/helpers.ts'

let time: number
beforeEach(() => {
  time = 0
})
const create = (options: ConstructorParameters<typeof CircuitBreaker>[0]) => new CircuitBreaker(options, () => time)
const fail = () => Promise.reject(new Error('down'))
/** Whether the circuit refuses a call. The call fails otherwise. */
const isRefused = async (breaker: CircuitBreaker) =>
  (await rejection(breaker.execute(fail))) instanceof CircuitOpenError

describe('the options of CircuitBreaker', () => {
  it.each([
    ['failureThreshold', 0],
    ['failureThreshold', -1],
    ['failureThreshold', Number.NaN],
    ['resetTimeout', 0],
    ['resetTimeout', -1],
    ['resetTimeout', Number.NaN],
  ])('must not have %s %d', (name, value) => {
    expect(() => new CircuitBreaker({ [name]: value })).toThrow(new RangeError(`Option '${name}' must be > 0`))
  })

  it('are optional: five failures open the circuit for a minute', async () => {
    const breaker = create(undefined)
    for (let count = 0; count < 5; count += 1) expect(await isRefused(breaker)).toBe(false)
    expect(await rejection(breaker.execute(fail))).toMatchObject({ retryAfterMs: 60_000 })
  })

  it('may be infinite: a circuit that never opens, and one that never closes again', async () => {
    const closed = create({ failureThreshold: Number.POSITIVE_INFINITY })
    for (let count = 0; count < 20; count += 1) expect(await isRefused(closed)).toBe(false)
    const open = create({ failureThreshold: 1, resetTimeout: Number.POSITIVE_INFINITY })
    expect(await isRefused(open)).toBe(false)
    time = Number.MAX_SAFE_INTEGER
    expect(await isRefused(open)).toBe(true)
  })
})

describe('execute', () => {
  it("returns the call's value, and throws its error", async () => {
    const breaker = create({})
    expect(await breaker.execute(async () => 'done')).toBe('done')
    expect(await breaker.execute(() => 'sync')).toBe('sync')
    const error = new Error('failed')
    expect(await rejection(breaker.execute(() => Promise.reject(error)))).toBe(error)
    expect(
      await rejection(
        breaker.execute(() => {
          throw error
        }),
      ),
    ).toBe(error)
  })

  it('does not run a call while the circuit is open, and says for how long it is', async () => {
    const breaker = create({ failureThreshold: 2, resetTimeout: 1000 })
    await rejection(breaker.execute(fail))
    await rejection(breaker.execute(fail))
    let isRun = false
    const call = () => {
      isRun = true
    }
    time = 400
    const error = await rejection(breaker.execute(call))
    expect(error).toBeInstanceOf(CircuitOpenError)
    expect(error).toMatchObject({
      name: 'CircuitOpenError',
      code: 'ERR_SERVICE_CIRCUIT_OPEN',
      message: 'circuit breaker: CALL /: the circuit is open for another 600 ms at most',
      service: 'circuit breaker',
      method: 'CALL',
      path: '/',
      attempts: 0,
      statusCode: 503,
      retryAfterMs: 600,
    })
    expect(isRun).toBe(false)
  })

  it('opens the circuit for consecutive failures only', async () => {
    const breaker = create({ failureThreshold: 2 })
    await rejection(breaker.execute(fail))
    await breaker.execute(() => 'done')
    expect(await isRefused(breaker)).toBe(false)
    expect(await isRefused(breaker)).toBe(false)
    expect(await isRefused(breaker)).toBe(true)
  })

  it('counts no abort by the caller', async () => {
    const breaker = create({ failureThreshold: 1 })
    const aborted = new DOMException('x', 'AbortError')
    expect(await rejection(breaker.execute(() => Promise.reject(aborted)))).toBe(aborted)
    expect(await isRefused(breaker)).toBe(false)
  })

  it('lets one call probe the service after the reset timeout', async () => {
    const breaker = create({ failureThreshold: 1, resetTimeout: 1000 })
    await rejection(breaker.execute(fail))
    time = 1000
    expect(await isRefused(breaker)).toBe(false)
    expect(await isRefused(breaker)).toBe(true)
    time = 2000
    const { promise, resolve } = Promise.withResolvers<string>()
    const probe = breaker.execute(() => promise)
    expect(await isRefused(breaker)).toBe(true)
    resolve('up')
    expect(await probe).toBe('up')
    expect(await breaker.execute(() => 'done')).toBe('done')
  })
})

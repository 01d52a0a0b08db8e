import { afterEach, describe, expect, it, vi } from 'vitest'
import { createServiceFactory } from '../../../src/client/create-services.ts'
import type { SignedServicesOptions } from '../../../src/config/options.ts'
import { createInvocation, type InvocationContext } from '../../../src/middleware/invocation.ts'

const begin = (context: InvocationContext, options: SignedServicesOptions = {}) =>
  createInvocation(context, createServiceFactory({ services: [], ...options }))

describe('the time that an invocation has left', () => {
  it("is the context's remaining time less the margin, at each moment", () => {
    let left = 1000
    const { remaining } = begin({ getRemainingTimeInMillis: () => left }, { deadlineMargin: 200 })
    expect(remaining?.()).toBe(800)
    left = 100
    expect(remaining?.()).toBe(-100)
  })

  it('is asked of the context as its method', () => {
    class Context {
      left = 1000
      getRemainingTimeInMillis() {
        return this.left
      }
    }
    expect(begin(new Context(), { deadlineMargin: 0 }).remaining?.()).toBe(1000)
    expect(begin({ lambdaContext: new Context() }, { deadlineMargin: 0 }).remaining?.()).toBe(1000)
  })

  it.each([undefined, Number.NaN, Number.POSITIVE_INFINITY, 'soon'])('has no end where the context says %s', (ms) => {
    expect(begin({ getRemainingTimeInMillis: () => ms as number }).remaining?.()).toBe(Number.POSITIVE_INFINITY)
  })

  it.each([{}, { lambdaContext: {} }])('is not known of a context that has no clock: %o', (context) => {
    expect(begin(context).remaining).toBeUndefined()
  })
})

describe('the trace of an invocation', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it('is that of the moment it began', () => {
    vi.stubEnv('_X_AMZN_TRACE_ID', 'Root=1-first')
    const invocation = begin({})
    vi.stubEnv('_X_AMZN_TRACE_ID', 'Root=1-second')
    expect(invocation.readTrace()).toBe('Root=1-first')
    expect(begin({ xRayTraceId: 'Root=1-context' }).readTrace()).toBe('Root=1-context')
  })

  it('is absent if tracing is off', () => {
    expect(begin({ xRayTraceId: 'Root=1-context' }, { trace: false }).readTrace()).toBeUndefined()
  })
})

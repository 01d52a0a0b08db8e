import { afterEach, describe, expect, it, vi } from 'vitest'
import { readTraceId } from '../../../src/client/trace.ts'

describe('readTraceId', () => {
  const env = { _X_AMZN_TRACE_ID: 'Root=1-env' }
  const setStore = (getXRayTraceId: unknown) => vi.stubGlobal('awslambda', { InvokeStore: { getXRayTraceId } })
  afterEach(() => vi.unstubAllGlobals())

  it('reads the context first, then the invoke store, then the environment', () => {
    setStore(() => 'Root=1-store')
    expect(readTraceId({ xRayTraceId: 'Root=1-context' }, env)).toBe('Root=1-context')
    expect(readTraceId({ lambdaContext: { xRayTraceId: 'Root=1-wrapped' } }, env)).toBe('Root=1-wrapped')
    expect(readTraceId({}, env)).toBe('Root=1-store')
    vi.unstubAllGlobals()
    expect(readTraceId({}, env)).toBe('Root=1-env')
    expect(readTraceId(undefined, {})).toBeUndefined()
  })

  it('works without an invoke store, or with one that has no trace', () => {
    vi.stubGlobal('awslambda', {})
    expect(readTraceId({}, env)).toBe('Root=1-env')
    vi.stubGlobal('awslambda', { InvokeStore: {} })
    expect(readTraceId({}, env)).toBe('Root=1-env')
    setStore(() => undefined)
    expect(readTraceId({}, env)).toBe('Root=1-env')
  })

  it('keeps the value verbatim, lineage included', () => {
    const value =
      'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1|68fd508a:5'
    expect(readTraceId({}, { _X_AMZN_TRACE_ID: value })).toBe(value)
  })

  it.each(['', 'Root=1\r\nx-evil: 1', 'Root=1\u0000', 'Root=\u007f', 'Root=é', 42])('ignores %j', (value) => {
    expect(readTraceId({ xRayTraceId: value }, {})).toBeUndefined()
    expect(readTraceId({}, { _X_AMZN_TRACE_ID: value as string })).toBeUndefined()
  })
})

import type { ServicesContext } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /topics': ['Tea'] } })

// #region

import middy from '@middy/core'
import signedServices, { CircuitOpenError } from 'middy-signed-services'

export const handler = middy<{ industry: string }>()
  .use(signedServices({ services: { ai: { circuitBreaker: { failureThreshold: 3, resetTimeout: 10_000 } } } }))
  .handler(async ({ industry }, { services: { ai } }) => {
    try {
      return await ai.get('topics', { searchParams: { industry } }).json<string[]>()
    } catch (error) {
      if (error instanceof CircuitOpenError) return ['Meet the team']
      throw error
    }
  })

// #endregion

const invoke = () => handler({ industry: 'tea' }, {} as ServicesContext<'ai'>)
expect(await invoke()).toEqual(['Tea'])
gateway.fail('ai *', { status: 501 })
for (let call = 1; call <= 3; call += 1) await expect(invoke()).rejects.toThrow('501')
expect(await invoke()).toEqual(['Meet the team'])

import middy from '@middy/core'
import signedServices, { CircuitOpenError } from 'middy-signed-services'

const EVERGREENS = ['How we work', 'Meet the team']

/**
 * Suggests topics. After three failed calls in a row, the circuit opens. For one second, nothing is sent, and the
 * fallback is returned immediately. Then one call probes whether the AI service has recovered.
 */
export const handler = middy<{ industry: string }>()
  .use(
    signedServices({
      services: { ai: { circuitBreaker: { failureThreshold: 3, resetTimeout: 1_000 }, retry: 0, timeout: 2_000 } },
    }),
  )
  .handler(async ({ industry }, { services: { ai } }) => {
    try {
      const { topics } = await ai.get('topics', { searchParams: { industry } }).json<{ topics: string[] }>()
      return { topics, source: 'ai' }
    } catch (error) {
      if (error instanceof CircuitOpenError) return { topics: EVERGREENS, source: 'fallback' }
      throw error
    }
  })

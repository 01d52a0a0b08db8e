import middy from '@middy/core'
import signedServices, { CircuitOpenError } from '../../src/index.ts'

const EVERGREENS = ['How we work', 'Meet the team']

/**
 * Suggests topics. After three failed calls in a row, the circuit opens: for a second nothing is sent, and the answer is
 * the fallback, at once. Then one call may try whether the AI service is back.
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

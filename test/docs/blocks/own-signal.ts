import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /topics': ['Tea'] } })
const { ai } = createServices({ services: ['ai'] })

// #region

import type { ServiceClient } from 'middy-signed-services'

/** The topics, or none if the caller's own limit of 800 ms passes first. */
export async function findTopics(client: ServiceClient): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(800)
  try {
    return await client.get('topics', { signal }).json<string[]>()
  } catch (error) {
    // The call rejects with the signal's own reason.
    if (error === signal.reason) return []
    throw error
  }
}

// #endregion

expect(await findTopics(ai)).toEqual(['Tea'])
gateway.fail('ai *', 'hang')
expect(await findTopics(ai)).toEqual([])

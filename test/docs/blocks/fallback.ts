import { createServices, type ServiceClient, ServiceError } from 'middy-signed-services'
import { expect, vi } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /topics': ['Signed requests'] } })
const EVERGREENS = ['Meet the team']

// #region

async function topicsFor(industry: string, ai: ServiceClient): Promise<readonly string[]> {
  try {
    return await ai.get('topics', { searchParams: { industry } }).json<string[]>()
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    console.warn(`${error.code} after ${error.attempts} attempts: ${error.message}`)
    return EVERGREENS
  }
}

// #endregion

const { ai } = createServices({ services: ['ai'], retry: 0 })
expect(await topicsFor('software', ai)).toEqual(['Signed requests'])
expect(gateway.requests[0]?.searchParams).toEqual({ industry: 'software' })
const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
gateway.fail('ai *', 'internal-error')
expect(await topicsFor('software', ai)).toBe(EVERGREENS)
expect(warn).toHaveBeenCalledWith(
  expect.stringMatching(/^ERR_SERVICE_RESPONSE after 1 attempts: ai: GET \/topics: 500/),
)
warn.mockRestore()

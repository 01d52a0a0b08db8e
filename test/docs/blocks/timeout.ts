import { createServices } from 'middy-signed-services'
import { expect } from 'vitest'
import { useGateway } from '../../support/helpers.ts'

const gateway = await useGateway({ ai: { 'GET /drafts/:id/review': { verdict: 'good' } } })
const { ai } = createServices({ services: ['ai'] })
const controller = new AbortController()

// #region

await ai.get('drafts/d-1/review', { timeout: 2_000 })
await ai.get('drafts/d-1/review', { signal: controller.signal })

// #endregion

gateway.fail('ai *', 'hang')
const ending = ai.get('drafts/d-1/review', { signal: controller.signal })
setTimeout(() => controller.abort(new Error('mine')), 20)
await expect(ending).rejects.toThrow('mine')
await expect(ai.get('drafts/d-1/review', { timeout: 20 })).rejects.toThrow('no complete response within 20 ms')

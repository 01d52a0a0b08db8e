import { mockEnv } from 'middy-signed-services/testing'
import { setEnv } from '../../support/helpers.ts'

setEnv(mockEnv())

// #region

import middy from '@middy/core'
import signedServices, { type ServicesContext } from 'middy-signed-services'
import { expect, vi } from 'vitest'

const handler = middy<{ topic: string }>()
  .use(signedServices({ services: ['ai'] }))
  .handler(async ({ topic }, { services: { ai } }) => ai.post('jobs', { json: { topic } }).json<{ jobId: string }>())

const ai = { post: vi.fn(() => ({ json: async () => ({ jobId: 'job-1' }) })) }
const context = { services: { ai } } as unknown as ServicesContext<'ai'>

expect(await handler({ topic: 'tea' }, context)).toEqual({ jobId: 'job-1' })
expect(ai.post).toHaveBeenCalledWith('jobs', { json: { topic: 'tea' } })

// #endregion

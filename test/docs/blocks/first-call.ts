import { expect, vi } from 'vitest'
import { setEnv } from '../../support/helpers.ts'

// Put back after the test.
setEnv({
  AI_SERVICE_API_URL: '',
  AWS_REGION: '',
  AWS_ACCESS_KEY_ID: '',
  AWS_SECRET_ACCESS_KEY: '',
  AWS_SESSION_TOKEN: '',
})
const log = vi.spyOn(console, 'log').mockImplementation(() => {})

// #region

import middy from '@middy/core'
import signedServices, { type ServicesContext } from 'middy-signed-services'
import { startLocalGateway } from 'middy-signed-services/testing'

const gateway = await startLocalGateway({ services: { ai: { 'GET /jobs/:id': { state: 'done' } } } })
Object.assign(process.env, gateway.env)

const handler = middy()
  .use(signedServices({ services: ['ai'] }))
  .handler(async (_event, { services: { ai } }) => ai.get('jobs/7').json())

console.log(await handler({}, {} as ServicesContext<'ai'>), gateway.requests[0]?.signature.verified)
await gateway.close()

// #endregion

expect(log).toHaveBeenCalledExactlyOnceWith({ state: 'done' }, true)
log.mockRestore()

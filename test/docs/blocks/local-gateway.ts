import { createServices } from 'middy-signed-services'
import { startLocalGateway } from 'middy-signed-services/testing'
import { expect } from 'vitest'
import { setEnv } from '../../support/helpers.ts'

// Put back after the test.
setEnv({
  AI_SERVICE_API_URL: '',
  AWS_REGION: '',
  AWS_ACCESS_KEY_ID: '',
  AWS_SECRET_ACCESS_KEY: '',
  AWS_SESSION_TOKEN: '',
})

// #region

const gateway = await startLocalGateway({ services: { ai: { 'GET /jobs/:id': ({ params }) => params } } })
Object.assign(process.env, gateway.env)
gateway.fail('ai *', { fault: 'throttled', times: 1 })

const { ai } = createServices({ services: ['ai'] })
expect(await ai.get('jobs/7').json()).toEqual({ id: '7' })
expect(gateway.requests.map(({ status }) => status)).toEqual([429, 200])
expect(gateway.requests.every(({ signature }) => signature.verified)).toBe(true)
await gateway.close()

// #endregion

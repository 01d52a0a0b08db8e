import { setEnv } from '../../support/helpers.ts'

// Put back after the test.
setEnv({
  BILLING_URL: '',
  AWS_REGION: '',
  AWS_ACCESS_KEY_ID: '',
  AWS_SECRET_ACCESS_KEY: '',
  AWS_SESSION_TOKEN: '',
})

// #region

import { createServices } from 'middy-signed-services'
import { startLocalGateway } from 'middy-signed-services/testing'
import { expect } from 'vitest'

const gateway = await startLocalGateway({ services: { billing: { env: 'BILLING_URL', 'GET /invoices': [] } } })
Object.assign(process.env, gateway.env) // BILLING_URL, AWS_REGION and the three of the credentials

const { billing } = createServices({ services: { billing: { env: 'BILLING_URL' } } })
expect(await billing.get('invoices').json()).toEqual([])
await gateway.close()

// #endregion

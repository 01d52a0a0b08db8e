import { setEnv } from '../../support/helpers.ts'

// The hosts name their region.
setEnv({ AWS_REGION: undefined })

// #region

import { createServices } from 'middy-signed-services'

export const { ai, integration, admin } = createServices({
  services: {
    // The endpoint has private DNS.
    ai: 'https://abc123.execute-api.eu-central-1.amazonaws.com/prod',
    // The API is associated with the endpoint.
    integration: 'https://abc123-vpce-0a1b2c3d.execute-api.eu-central-1.amazonaws.com/prod',
    // The endpoint's own host does not name the API, so a header does.
    admin: {
      url: 'https://vpce-0a1b2c3d-x1y2z3.execute-api.eu-central-1.vpce.amazonaws.com/prod',
      headers: { 'x-apigw-api-id': 'abc123' },
    },
  },
})

// #endregion

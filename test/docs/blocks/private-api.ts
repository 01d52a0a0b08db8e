import signedServices from 'middy-signed-services'
import { setEnv } from '../../support/helpers.ts'

// The hosts name their region.
setEnv({ AWS_REGION: undefined })

// #region

signedServices({
  services: {
    // Private DNS is on for the endpoint.
    ai: 'https://abc123.execute-api.eu-central-1.amazonaws.com/prod',
    // The API is associated with the endpoint.
    integration: 'https://abc123-vpce-0a1b2c3d.execute-api.eu-central-1.amazonaws.com/prod',
    // The endpoint's own name says nothing of the API, so that a header does.
    admin: {
      url: 'https://vpce-0a1b2c3d-x1y2z3.execute-api.eu-central-1.vpce.amazonaws.com/prod',
      headers: { 'x-apigw-api-id': 'abc123' },
    },
  },
})

// #endregion

import signedServices from 'middy-signed-services'

// #region

signedServices({
  services: { ai: { url: 'https://localhost:8443/prod', host: 'abc123.execute-api.eu-central-1.amazonaws.com' } },
})

// #endregion

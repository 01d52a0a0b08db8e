// #region

import { createServices } from 'middy-signed-services'

export const { ai } = createServices({
  services: { ai: { url: 'https://localhost:8443/prod', host: 'abc123.execute-api.eu-central-1.amazonaws.com' } },
})

// #endregion

import { setEnv, useGateway } from '../../support/helpers.ts'

await useGateway({ ai: {}, integration: {}, background: {}, admin: {}, billing: {} })
setEnv({ SEARCH_URL: undefined })

// #region

import signedServices from 'middy-signed-services'

// Four services, each with its URL in an environment variable.
signedServices()

// Two of them, with a shorter timeout for every attempt.
signedServices({ services: ['ai', 'integration'], timeout: 5_000 })

// One URL in the code, one in an environment variable of another name, one with options of its own.
signedServices({
  services: {
    ai: 'https://ai.example.com/v1',
    search: { env: 'SEARCH_URL', optional: true },
    billing: { timeout: 2_000, retry: 0, circuitBreaker: true },
  },
})

// #endregion

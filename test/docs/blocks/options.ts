import signedServices from 'middy-signed-services'
import { useGateway } from '../../support/helpers.ts'

await useGateway({ ai: {}, integration: {} })

// #region

signedServices({ services: ['ai', 'integration'], timeout: 5_000 })
signedServices({ services: { ai: 'https://ai.example.com', search: { env: 'SEARCH_URL', optional: true } } })

// #endregion

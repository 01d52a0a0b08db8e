import signedServices from 'middy-signed-services'
import { useGateway } from '../../support/helpers.ts'

await useGateway({ ai: {}, integration: {} })

// #region

signedServices({ services: { ai: { circuitBreaker: { failureThreshold: 3, resetTimeout: 10_000 } }, integration: {} } })

// #endregion

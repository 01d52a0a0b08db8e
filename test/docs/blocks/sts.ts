import signedServices from 'middy-signed-services'
import { useGateway } from '../../support/helpers.ts'

await useGateway({ ai: {}, integration: {} })

// #region

signedServices({ services: { ai: {}, integration: { credentials: 'partner' } } })

// #endregion

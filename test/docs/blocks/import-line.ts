import { expect } from 'vitest'

// #region

// import { invokeIntegrationService } from './utils/request-signer'
import { invokeIntegrationService } from 'middy-signed-services/request-signer'

// #endregion

expect(invokeIntegrationService).toBeTypeOf('function')

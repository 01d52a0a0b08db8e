import { expect } from 'vitest'

// #region

import { type SignedServicesOptions, signedServicesValidateOptions } from 'middy-signed-services'

export const options = { services: ['ai', 'integration'], timeout: 5_000 } as const satisfies SignedServicesOptions

signedServicesValidateOptions(options)

// #endregion

expect(() => signedServicesValidateOptions({ timeout: 0 })).toThrow('timeout')

import { expect, vi } from 'vitest'
import { IDENTITY, setEnv } from '../../support/helpers.ts'

setEnv({
  AWS_ACCESS_KEY_ID: IDENTITY.accessKeyId,
  AWS_SECRET_ACCESS_KEY: IDENTITY.secretAccessKey,
  AWS_SESSION_TOKEN: IDENTITY.sessionToken,
})
const transport = vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response('{}'))

// #region

import { createSignedFetch } from 'middy-signed-services'

const signedFetch = createSignedFetch({ region: 'eu-central-1', service: 'lambda' })
const response = await signedFetch('https://abc123.lambda-url.eu-central-1.on.aws/reports')

// #endregion

expect(response.status).toBe(200)
expect(new Headers(transport.mock.calls[0]?.[1]?.headers).get('authorization')).toContain('/eu-central-1/lambda/')
transport.mockRestore()

import { expect, vi } from 'vitest'
import { IDENTITY, setEnv } from '../../support/helpers.ts'

setEnv({
  AWS_ACCESS_KEY_ID: IDENTITY.accessKeyId,
  AWS_SECRET_ACCESS_KEY: IDENTITY.secretAccessKey,
  AWS_REGION: 'eu-central-1',
})

// #region

import { createServices } from 'middy-signed-services'

export const { ai } = createServices({
  services: { ai: { url: 'https://ai.example.com/v1', region: 'us-east-1' } },
})

// #endregion

const transport = vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response('{}'))
await ai.get('health')
expect(new Headers(transport.mock.calls[0]?.[1]?.headers).get('authorization')).toContain('/us-east-1/execute-api/')
transport.mockRestore()

import { expect, vi } from 'vitest'
import { IDENTITY, setEnv } from '../../support/helpers.ts'

setEnv({
  AWS_ACCESS_KEY_ID: IDENTITY.accessKeyId,
  AWS_SECRET_ACCESS_KEY: IDENTITY.secretAccessKey,
  AWS_REGION: undefined,
})

// #region

import { createServices } from 'middy-signed-services'

export const services = createServices({
  services: {
    ai: 'https://abc123.execute-api.eu-central-1.amazonaws.com/prod',
    reports: 'https://def456.lambda-url.eu-west-1.on.aws',
    graph: 'https://ghi789.appsync-api.eu-central-1.amazonaws.com',
    search: { url: 'https://search-jkl012.eu-central-1.es.amazonaws.com', region: 'eu-central-1', signingName: 'es' },
  },
})

// #endregion

const transport = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('{}'))
for (const service of Object.values(services)) await service.get('health')
const scopes = transport.mock.calls.map(([, init]) => {
  const { authorization } = Object.fromEntries(new Headers(init?.headers))
  return /Credential=[^/]+\/\d+\/([^/]+\/[^/]+)\//.exec(authorization ?? '')?.[1]
})
expect(scopes).toEqual(['eu-central-1/execute-api', 'eu-west-1/lambda', 'eu-central-1/appsync', 'eu-central-1/es'])
transport.mockRestore()

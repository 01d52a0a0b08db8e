import { createServices, type ServiceClient } from '../../../src/index.ts'

/** A client of a service on loopback. */
export function createAi(url: string): ServiceClient {
  const { ai } = createServices({
    services: { ai: { url, region: 'us-east-1', signingName: 'execute-api' } },
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
    timeout: 60_000,
  })
  return ai
}

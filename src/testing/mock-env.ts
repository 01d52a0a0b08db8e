import { defaults, type ServiceOptions, type ServicesOption, toVariable } from '../config/index.ts'

/**
 * Origin of mocks, and of the URLs from `mockEnv`. The name never resolves (RFC 2606), so no request leaves the
 * machine.
 */
const MOCK_ORIGIN = 'https://mocked.invalid'

/**
 * Returns the environment variables that a module with `signedServices()` needs when a test imports it: URLs that never
 * resolve, a region, and invalid credentials, so that no test uses a developer's own. Meant for vitest's `test.env`.
 * @param services The middleware's option `services`. Default: the four default services.
 */
export function mockEnv(services: ServicesOption = defaults.services): Record<string, string> {
  const options: Record<string, string | ServiceOptions> = Array.isArray(services)
    ? Object.fromEntries(services.map((name) => [name, {}]))
    : { ...services }
  const urls = Object.entries(options).flatMap(([name, service]) => {
    const {
      env = toVariable(name),
      url,
      internal,
    }: ServiceOptions = typeof service === 'string' ? { url: service } : service
    return url === undefined && internal === undefined ? [[env, mockUrl(name)]] : []
  })
  return {
    ...Object.fromEntries(urls),
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'AKIAMOCKED',
    AWS_SECRET_ACCESS_KEY: 'mocked',
    AWS_SESSION_TOKEN: 'mocked',
  }
}

export function mockUrl(name: string): string {
  return `${MOCK_ORIGIN}/${encodeURIComponent(name)}`
}

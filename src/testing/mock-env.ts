import { defaults, type ServiceOptions, type ServicesOption, toVariable } from '../config/index.ts'

/** Where mocks and the variables of `mockEnv` point: a name that never resolves (RFC 2606), so that no call gets far. */
const MOCK_ORIGIN = 'https://mocked.invalid'

/**
 * The variables that a module with `signedServices()` needs to be imported in a test: harmless URLs, a region, and
 * credentials of nobody, so that no test looks for a developer's own. For vitest's `test.env`. Takes the middleware's own
 * `services`, where it has others than the default four.
 * @param services The option of that name.
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

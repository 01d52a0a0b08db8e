import type { RetryOptions } from 'ky'
import { type BaseUrl, parseBaseUrl } from './base-url.ts'
import { type AwsCredentialProvider, createCredentialProvider } from './credentials.ts'
import { readEndpoint } from './endpoint.ts'
import { ServicesConfigurationError } from './errors.ts'
import { defaults, normalizeOptions, type SignedServicesOptions } from './options.ts'
import { toVariable } from './service-variable.ts'

/** One service, ready to be called. */
export interface ServiceConfig {
  readonly name: string
  /** Absent where an optional service's URL is not set; `missing` then says which one. */
  readonly base?: BaseUrl
  readonly missing: string
  readonly region: string
  readonly signingName: string
  readonly credentials: AwsCredentialProvider
  readonly timeout: number
  readonly retry: number | RetryOptions | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly fetch: typeof globalThis.fetch | undefined
}

/** What one factory's clients share. */
export interface Config {
  readonly services: ReadonlyMap<string, ServiceConfig>
  readonly deadlineMargin: number
  readonly trace: boolean
}

/**
 * Brings options and environment together.
 * @throws TypeError for the first mistake in the options
 * @throws ServicesConfigurationError listing everything that is wrong with the environment
 */
export function resolveConfig(options: SignedServicesOptions = {}, env: NodeJS.ProcessEnv = process.env): Config {
  const { services: byName, deadlineMargin, trace, ...common } = normalizeOptions(options)
  const problems: string[] = []
  const services = new Map<string, ServiceConfig>()
  const credentials = createCredentialProvider(common.credentials)
  for (const [name, own] of Object.entries(byName)) {
    const variable = own.env ?? toVariable(name)
    const source = own.url === undefined ? variable : `services.${name}.url`
    const missing = `${source}: API Gateway URL not set`
    const report = (problem: string) => problems.push(`${source}: ${problem}`)

    const value = (own.url ?? env[variable])?.trim()
    const base = value ? parseBaseUrl(value) : undefined
    if (base === undefined && !own.optional) problems.push(missing)
    if (typeof base === 'string') report(base)
    const found = typeof base === 'object' ? base : undefined
    const endpoint = found === undefined ? {} : readEndpoint(found.hostname)
    const region = own.region ?? common.region ?? endpoint.region ?? (env.AWS_REGION || undefined)
    if (found !== undefined && region === undefined) report('the host names no region, and AWS_REGION is not set')

    services.set(
      name,
      Object.freeze({
        name,
        ...(found && { base: found }),
        missing,
        region: region ?? '',
        signingName: own.signingName ?? endpoint.signingName ?? defaults.signingName,
        credentials: own.credentials === undefined ? credentials : createCredentialProvider(own.credentials),
        timeout: own.timeout ?? common.timeout ?? defaults.timeout,
        retry: own.retry ?? common.retry,
        headers: { ...common.headers, ...own.headers },
        fetch: common.fetch,
      }),
    )
  }
  if (problems.length > 0) throw new ServicesConfigurationError(problems)
  return Object.freeze({
    services,
    deadlineMargin: deadlineMargin ?? defaults.deadlineMargin,
    trace: trace ?? defaults.trace,
  })
}

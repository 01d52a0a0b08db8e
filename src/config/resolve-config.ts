import type { RetryOptions } from 'ky'
import { ServicesConfigurationError, URL_NOT_SET } from '../errors/index.ts'
import {
  type AwsCredentialIdentity,
  type CredentialSource,
  checkIdentity,
  createCredentialSource,
  isRegion,
  resolveEndpoint,
} from '../signing/index.ts'
import { type BaseUrl, parseBaseUrl } from './base-url.ts'
import { checkOptions, withoutMistakes } from './check-options.ts'
import {
  type CallRecord,
  type CircuitBreakerOptions,
  defaults,
  lowerCaseNames,
  type NormalizedOptions,
  normalizeOptions,
  type PendingCallsOption,
  type ServiceOptions,
  type ServicesLogger,
  type SignedServicesOptions,
} from './options.ts'
import { toVariable } from './service-variable.ts'

/** Configuration of one service. */
export interface ServiceConfig {
  readonly name: string
  /** Absent if the URL of an optional service is not set. */
  readonly base?: BaseUrl
  /** The problem of a service without a URL. */
  readonly urlMissing: string
  readonly region: string
  readonly signingName: string
  readonly credentials: CredentialSource
  readonly timeout: number | false
  readonly idleTimeout: number | undefined
  readonly maxConnections: number | undefined
  readonly maxResponseSize: number | false
  readonly retry: RetryOptions | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly fetch: typeof globalThis.fetch | undefined
  readonly circuitBreaker: CircuitBreakerOptions | false
  /** Host to sign for and to send, if it differs from the URL's host. */
  readonly host?: string | undefined
}

export type ServiceConfigs = ReadonlyMap<string, ServiceConfig>

/** Configuration that all clients of one factory share. */
export interface Config {
  readonly services: ServiceConfigs
  /** The Middy internal values that services need, by name. Each value is the path of its option. */
  readonly internals: ReadonlyMap<string, string>
  /**
   * Configures the services with the internal values of an invocation.
   * @throws ServicesConfigurationError if an internal value is missing or invalid
   */
  readonly withInternals: (values: InternalValues) => ServiceConfigs
  readonly deadlineMargin: number
  readonly pendingCalls: PendingCallsOption
  readonly trace: boolean
  readonly logger: ServicesLogger | undefined
  readonly onCall: ((record: CallRecord) => void) | undefined
}

/**
 * Checks options as `signedServices` does, but does not read environment variables.
 * @param options The options for `signedServices`.
 * @throws ServicesConfigurationError listing every mistake, such as `timeOut: no such option of signedServices; did you
 * mean timeout?`
 */
export function signedServicesValidateOptions(options: SignedServicesOptions = {}): void {
  const mistakes = checkOptions(options, 'signedServices')
  if (mistakes.length > 0) throw new ServicesConfigurationError(mistakes)
}

export type InternalValues = ReadonlyMap<string, unknown>

/**
 * Combines options and environment variables.
 * @param factory Name of the function that takes the options, for the messages.
 * @throws ServicesConfigurationError listing every mistake in the options and in the environment variables
 */
export function resolveConfig(
  options: SignedServicesOptions = {},
  factory = 'signedServices',
  env: NodeJS.ProcessEnv = process.env,
): Config {
  const mistakes = checkOptions(options, factory)
  const normalized = normalizeOptions(mistakes.length === 0 ? options : withoutMistakes(options, mistakes))
  // A mistaken option must not cause a second problem with a URL.
  const isMistaken = (name: string) => mistakes.some((mistake) => mistake.startsWith(`${name}: `))
  const common = {
    hasFetch: normalized.fetch !== undefined,
    region: normalized.region,
    defaultRegion: isMistaken('region') ? 'us-east-1' : env.AWS_REGION?.trim() || undefined,
    allowHttp: isMistaken('allowHttp') || normalized.allowHttp,
  }
  const advice = Object(options).services === undefined ? FEWER_SERVICES : undefined
  const sources = createSources(normalized, env)
  const configure = (values?: InternalValues): ServiceConfigs => {
    const problems = new Set(mistakes)
    const services = new Map<string, ServiceConfig>()
    for (const [name, own] of Object.entries(normalized.services)) {
      const { problems: found, ...location } = locate(name, own, common, env, values)
      for (const problem of found) problems.add(problem)
      const credentials = readCredentials(own.credentials ?? normalized.credentials, values, problems)
      services.set(
        name,
        Object.freeze({
          ...location,
          name,
          credentials: credentials ?? (sources.get(name) as CredentialSource),
          timeout: own.timeout ?? normalized.timeout ?? defaults.timeout,
          idleTimeout: own.idleTimeout ?? normalized.idleTimeout,
          maxResponseSize: own.maxResponseSize ?? normalized.maxResponseSize ?? defaults.maxResponseSize,
          maxConnections: own.maxConnections ?? normalized.maxConnections,
          retry: own.retry ?? normalized.retry,
          headers: { ...lowerCaseNames(normalized.headers), ...lowerCaseNames(own.headers) },
          fetch: normalized.fetch,
          circuitBreaker: own.circuitBreaker ?? normalized.circuitBreaker ?? defaults.circuitBreaker,
        }),
      )
    }
    if (problems.size > 0) throw new ServicesConfigurationError([...problems], advice)
    return services
  }
  return Object.freeze({
    services: configure(),
    internals: findInternals(normalized),
    withInternals: rememberLast(configure),
    deadlineMargin: normalized.deadlineMargin ?? defaults.deadlineMargin,
    pendingCalls: normalized.pendingCalls ?? defaults.pendingCalls,
    trace: normalized.trace ?? defaults.trace,
    logger: normalized.logger,
    onCall: normalized.onCall,
  })
}

const FEWER_SERVICES = "If the function needs fewer services, name them: signedServices({ services: ['ai'] })"

/** Options that apply to all services. */
interface CommonLocation {
  readonly region: string | undefined
  readonly defaultRegion: string | undefined
  readonly allowHttp: boolean | undefined
  readonly hasFetch: boolean
}

interface Location extends Pick<ServiceConfig, 'base' | 'host' | 'urlMissing' | 'region' | 'signingName'> {
  readonly problems: readonly string[]
}

/**
 * Finds URL and signing scope of a service, with their problems. Without `values`, a missing internal value is no
 * problem.
 */
function locate(
  name: string,
  own: ServiceOptions,
  { region, defaultRegion, allowHttp, hasFetch }: CommonLocation,
  env: NodeJS.ProcessEnv,
  values?: InternalValues,
): Location {
  const { internal, env: variable = toVariable(name) } = own
  const [source, value] =
    internal !== undefined
      ? [`internal value '${internal}'`, values?.get(internal)]
      : own.url !== undefined
        ? [`services.${name}.url`, own.url]
        : [variable, env[variable]]
  const urlMissing = `${source}: ${URL_NOT_SET}`
  const nowhere = { urlMissing, region: '', signingName: '' }
  if (typeof value !== 'string' || value.trim() === '') {
    const isMissed = !own.optional && (internal === undefined || values !== undefined)
    return { ...nowhere, problems: isMissed ? [urlMissing] : [] }
  }
  const base = parseBaseUrl(value.trim(), own.allowHttp ?? allowHttp)
  if (typeof base === 'string') return { ...nowhere, problems: [`${source}: ${base}`] }
  // Normalized like the base URL: lower case, no trailing dot.
  const host = own.host?.toLowerCase().replace(/\.(?=:|$)/, '')
  const endpoint = resolveEndpoint(host?.replace(/:\d+$/, '') ?? base.hostname, {
    region: own.region ?? region,
    signingName: own.signingName,
    defaultRegion,
  })
  if (typeof endpoint !== 'string' && endpoint.region === defaultRegion && !isRegion(defaultRegion)) {
    return { ...nowhere, problems: ['AWS_REGION: must be a region such as eu-central-1'] }
  }
  if (typeof endpoint === 'string') return { ...nowhere, problems: [`${source}: ${endpoint}`] }
  if (host !== undefined && hasFetch) {
    return {
      ...nowhere,
      problems: [
        `services.${name}.host: cannot be combined with the option fetch, which cannot send another Host header`,
      ],
    }
  }
  return { base, host, urlMissing, ...endpoint, problems: [] }
}

/** The credential source of each service. Credentials from internal values are read later, in each invocation. */
function createSources(options: NormalizedOptions, env: NodeJS.ProcessEnv): ReadonlyMap<string, CredentialSource> {
  const create = (credentials: typeof options.credentials) =>
    // Stryker disable next-line ConditionalExpression,StringLiteral: an internal value takes precedence over this source.
    createCredentialSource(typeof credentials === 'string' ? undefined : credentials, env)
  const common = create(options.credentials)
  return new Map(
    Object.entries(options.services).map(([name, { credentials }]) => [
      name,
      credentials ? create(credentials) : common,
    ]),
  )
}

function readCredentials(
  option: NormalizedOptions['credentials'],
  values: InternalValues | undefined,
  problems: Set<string>,
): CredentialSource | undefined {
  if (typeof option !== 'string' || values === undefined) return undefined
  try {
    return createCredentialSource(checkIdentity(values.get(option) as AwsCredentialIdentity))
  } catch (error) {
    problems.add(`internal value '${option}': ${(error as Error).message}`)
    return undefined
  }
}

function findInternals(options: NormalizedOptions): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  if (typeof options.credentials === 'string') found.set(options.credentials, 'credentials')
  for (const [name, { internal, credentials }] of Object.entries(options.services)) {
    if (internal !== undefined) found.set(internal, `services.${name}.internal`)
    if (typeof credentials === 'string') found.set(credentials, `services.${name}.credentials`)
  }
  return found
}

/** Configures again only if an internal value has changed: their middleware usually caches them between invocations. */
function rememberLast(
  configure: (values: InternalValues) => ServiceConfigs,
): (values: InternalValues) => ServiceConfigs {
  let last: { readonly values: InternalValues; readonly services: ServiceConfigs } | undefined
  return (values) => {
    const previous = last
    if (previous !== undefined && [...values].every(([name, value]) => previous.values.get(name) === value))
      return previous.services
    const services = configure(values)
    last = { values, services }
    return services
  }
}

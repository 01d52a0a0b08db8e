import type { RetryOptions } from 'ky'
import { ServicesConfigurationError } from '../errors/index.ts'
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
  copyRetry,
  defaults,
  type NormalizedOptions,
  normalizeOptions,
  type PendingCallsOption,
  type ServiceOptions,
  type ServicesLogger,
  type SignedServicesOptions,
} from './options.ts'
import { toVariable } from './service-variable.ts'

/** One service, ready to be called. */
export interface ServiceConfig {
  readonly name: string
  /** Absent where an optional service's URL is not set; `missing` then says which one. */
  readonly base?: BaseUrl
  readonly missing: string
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
  /** Host to sign for and to send, where it is not the URL's own. */
  readonly host?: string | undefined
}

export type ServiceConfigs = ReadonlyMap<string, ServiceConfig>

/** What one factory's clients share. */
export interface Config {
  readonly services: ServiceConfigs
  /** Option path by name of each Middy internal value that services wait for. */
  readonly internals: ReadonlyMap<string, string>
  /**
   * The services with the internal values of an invocation.
   * @throws ServicesConfigurationError
   */
  readonly withInternals: (values: InternalValues) => ServiceConfigs
  readonly deadlineMargin: number
  readonly pendingCalls: PendingCallsOption
  readonly trace: boolean
  readonly logger: ServicesLogger | undefined
  readonly onCall: ((record: CallRecord) => void) | undefined
}

/**
 * Checks options as `signedServices` does, without looking at the environment.
 * @param options What `signedServices` would be given.
 * @throws ServicesConfigurationError listing every mistake, such as `timeOut: no such option of signedServices; did you mean timeout?`
 */
export function signedServicesValidateOptions(options: SignedServicesOptions = {}): void {
  const mistakes = checkOptions(options, 'signedServices')
  if (mistakes.length > 0) throw new ServicesConfigurationError(mistakes)
}

export type InternalValues = ReadonlyMap<string, unknown>

/**
 * Brings options and environment together.
 * @param factory Name of the function that was given the options.
 * @throws ServicesConfigurationError listing every mistake in the options and every problem of the environment
 */
export function resolveConfig(
  options: SignedServicesOptions = {},
  factory = 'signedServices',
  env: NodeJS.ProcessEnv = process.env,
): Config {
  const mistakes = checkOptions(options, factory)
  const normalized = normalizeOptions(mistakes.length === 0 ? options : withoutMistakes(options, mistakes))
  // A URL is not to be blamed for what is missing because of a mistake.
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
      const location = locate(name, own, common, env, values)
      for (const problem of location.problems) problems.add(problem)
      const credentials = readCredentials(own.credentials ?? normalized.credentials, values, problems)
      const retry = own.retry ?? normalized.retry
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
          retry: retry === undefined ? undefined : copyRetry(retry),
          headers: { ...lowerCase(normalized.headers), ...lowerCase(own.headers) },
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

/** What the services have in common. */
interface CommonLocation {
  readonly region: string | undefined
  readonly defaultRegion: string | undefined
  readonly allowHttp: boolean | undefined
  readonly hasFetch: boolean
}

interface Location {
  readonly base?: BaseUrl
  readonly host?: string | undefined
  readonly missing: string
  readonly region: string
  readonly signingName: string
  readonly problems: readonly string[]
}

/** Where a service is, and what is wrong with what says so. Without `values`, an internal value is not missed. */
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
  const missing = `${source}: API Gateway URL not set`
  const nowhere = { missing, region: '', signingName: '' }
  if (typeof value !== 'string' || value.trim() === '') {
    const isMissed = !own.optional && (internal === undefined || values !== undefined)
    return { ...nowhere, problems: isMissed ? [missing] : [] }
  }
  const base = parseBaseUrl(value.trim(), own.allowHttp ?? allowHttp)
  if (typeof base === 'string') return { ...nowhere, problems: [`${source}: ${base}`] }
  // As the base URL is written: in lower case, and without a dot at its end.
  const host = own.host?.toLowerCase().replace(/\.(?=:\d+$|$)/, '')
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
  return { base, host, missing, ...endpoint, problems: [] }
}

/** One source a service, or one for all; those that an internal value names come with each invocation. */
function createSources(options: NormalizedOptions, env: NodeJS.ProcessEnv): ReadonlyMap<string, CredentialSource> {
  const create = (credentials: typeof options.credentials) =>
    // Stryker disable next-line ConditionalExpression,StringLiteral: what a name stands for comes before this source.
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

/** As HTTP compares names, so that a service's own header replaces the common one. */
function lowerCase(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
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

/** Internal values are the same from one invocation to the next, as long as their middleware keeps them. */
function rememberLast(
  configure: (values: InternalValues) => ServiceConfigs,
): (values: InternalValues) => ServiceConfigs {
  let last: { readonly values: InternalValues; readonly services: ServiceConfigs } | undefined
  return (values) => {
    const known = last
    if (known !== undefined && [...values].every(([name, value]) => known.values.get(name) === value))
      return known.services
    const services = configure(values)
    last = { values, services }
    return services
  }
}

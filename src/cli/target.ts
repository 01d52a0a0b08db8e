import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { resolveConfig, type ServiceConfig, toVariable } from '../config/index.ts'
import {
  messageOf,
  nearestName,
  OPTION_ALLOW_HTTP,
  SET_REGION_AND_SIGNING_NAME,
  ServicesConfigurationError,
} from '../errors/index.ts'
import { type CredentialSource, createCredentialSource } from '../signing/index.ts'
import type { TargetOptions } from './arguments.ts'
import { UsageError } from './context.ts'

/** A service or URL to call, ready to be called. */
export interface Target {
  readonly service: ServiceConfig
  /** What the URL was read from: a variable, or undefined for a URL that was given. */
  readonly variable: string | undefined
  /** Query of a URL that was given, with its question mark. */
  readonly query: string
}

/** Name of a target that was given as a URL, in messages. */
const URL_NAME = 'api'

/** Options of the configuration, by the names that they have here. */
const NAMES: Readonly<Record<string, string>> = {
  region: '--region',
  signingName: '--signing-name',
  host: '--host',
  url: 'the URL',
}

/**
 * Adds the variables of a file; those that are set already win, as with Node.js's own `--env-file`.
 * @throws UsageError for a file that cannot be read
 */
export function loadEnvFile(file: string | undefined, env: NodeJS.ProcessEnv): void {
  if (file === undefined) return
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`--env-file: ${messageOf(error)}`)
  }
  for (const [name, value] of Object.entries(parseEnv(text))) env[name] ??= value
}

/** A URL has a scheme or, mistaken for one, a dot, a colon or a slash. */
function isUrl(target: string): boolean {
  return /[:./]/.test(target)
}

/**
 * Finds where a target is, as the middleware does.
 * @throws UsageError for what the command line says, ServicesConfigurationError for what the environment says
 */
export function resolveTarget(target: string, options: TargetOptions, env: NodeJS.ProcessEnv): Target {
  const isGiven = isUrl(target)
  const name = isGiven ? URL_NAME : target
  const [, url = '', query = ''] = /^([^?#]*)([^#]*)/.exec(target) as RegExpExecArray
  const { region, signingName, host, allowHttp, timeout } = options
  try {
    const own = { region, signingName, host, ...(isGiven && { url }) }
    const { services } = resolveConfig({ services: { [name]: own }, allowHttp, timeout }, 'the command', env)
    const service = services.get(name) as ServiceConfig
    return { service, variable: isGiven ? undefined : toVariable(name), query: isGiven ? query : '' }
  } catch (error) {
    if (!(error instanceof ServicesConfigurationError)) throw error
    const isUsage = error.problems.some((problem) => problem.startsWith('services.'))
    if (isUsage) throw new UsageError(error.problems.map(nameOption).join('\n'))
    const nearest = nearestName(name, findServices(env))
    throw new ServicesConfigurationError(error.problems, nearest && `Did you mean the service ${nearest}?`)
  }
}

/** `services.ai.region: ...` is what the option `--region` says. */
function nameOption(problem: string): string {
  return problem
    .replace(/^services\.[^:]*?(?:\.(region|signingName|host|url))?: /, (_, option?: string) =>
      option === undefined ? '' : `${NAMES[option]}: `,
    )
    .replace(OPTION_ALLOW_HTTP, '--allow-http')
    .replace(SET_REGION_AND_SIGNING_NAME, 'give --region and --signing-name')
}

/** Names of the services whose URL the environment holds: `AI_SERVICE_API_URL` is that of `ai`. */
export function findServices(env: NodeJS.ProcessEnv): readonly string[] {
  return Object.keys(env)
    .filter((variable) => env[variable] !== undefined)
    .flatMap((variable) => {
      const words = /^([A-Z].*)_SERVICE_API_URL$/.exec(variable)?.[1]?.toLowerCase() ?? ''
      const camelCase = words.replace(/_+([a-z\d])/g, (_, letter: string) => letter.toUpperCase())
      // Of `USER_2`, the camel case is `user2`, whose variable begins with `USER2`.
      return [camelCase, words].find((name) => name !== '' && toVariable(name) === variable) ?? []
    })
    .toSorted()
}

/** Where credentials come from, in words. */
export interface Credentials {
  readonly source: CredentialSource
  readonly name: string
}

/** The credentials of a profile, else of the environment, else of the AWS SDK's provider chain. */
export function findCredentials(profile: string | undefined, env: NodeJS.ProcessEnv): Credentials {
  if (profile !== undefined) {
    const provide = async () => {
      const { defaultProvider } = await import('@aws-sdk/credential-provider-node')
      return defaultProvider({ profile })()
    }
    return { source: createCredentialSource(provide, env), name: `profile ${profile}` }
  }
  const isInEnv = Boolean(env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY)
  const chain = `the AWS SDK's provider chain${env.AWS_PROFILE ? `, profile ${env.AWS_PROFILE}` : ''}`
  return { source: createCredentialSource(undefined, env), name: isInEnv ? 'the environment' : chain }
}

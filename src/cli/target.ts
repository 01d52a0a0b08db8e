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
import { UsageError } from './usage-error.ts'

/** A service or URL to call. */
export interface Target {
  readonly service: ServiceConfig
  /** Environment variable with the URL. Undefined for a URL from the command line. */
  readonly variable: string | undefined
  /** Query of a URL from the command line, with its question mark. */
  readonly query: string
}

/** Name of a URL from the command line, in messages. */
const URL_NAME = 'api'

/** Names of the library's options on the command line. */
const NAMES: Readonly<Record<string, string>> = {
  region: '--region',
  signingName: '--signing-name',
  host: '--host',
  url: 'the URL',
}

/**
 * Adds the variables of a file. Existing variables take precedence, as with Node.js's own `--env-file`.
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

/** Whether a target is a URL and not a name. A text with a dot, colon or slash is meant as a URL. */
function isUrl(target: string): boolean {
  return /[:./]/.test(target)
}

/**
 * Resolves the URL of a target, as the middleware does.
 * @throws UsageError for an invalid command line, ServicesConfigurationError for invalid environment variables
 */
export function resolveTarget(target: string, options: TargetOptions, env: NodeJS.ProcessEnv): Target {
  const isUrlTarget = isUrl(target)
  const name = isUrlTarget ? URL_NAME : target
  const [, url = '', query = ''] = /^([^?#]*)([^#]*)/.exec(target) as RegExpExecArray
  const { region, signingName, host, allowHttp, timeout } = options
  try {
    const own = { region, signingName, host, ...(isUrlTarget && { url }) }
    const { services } = resolveConfig({ services: { [name]: own }, allowHttp, timeout }, 'the command', env)
    const service = services.get(name) as ServiceConfig
    return { service, variable: isUrlTarget ? undefined : toVariable(name), query: isUrlTarget ? query : '' }
  } catch (error) {
    if (!(error instanceof ServicesConfigurationError)) throw error
    const isUsage = error.problems.some((problem) => problem.startsWith('services.'))
    if (isUsage) throw new UsageError(error.problems.map(nameOption).join('\n'))
    const nearest = nearestName(name, findServices(env))
    throw new ServicesConfigurationError(error.problems, nearest && `Did you mean the service ${nearest}?`)
  }
}

/** Replaces the library's option by the command's: `services.ai.region: ...` becomes `--region: ...`. */
function nameOption(problem: string): string {
  return problem
    .replace(/^services\.[^:]*?(?:\.(region|signingName|host|url))?: /, (_, option?: string) =>
      option === undefined ? '' : `${NAMES[option]}: `,
    )
    .replace(OPTION_ALLOW_HTTP, '--allow-http')
    .replace(SET_REGION_AND_SIGNING_NAME, 'set --region and --signing-name')
}

/** Names of the services whose URL is in an environment variable: `AI_SERVICE_API_URL` means `ai`. */
export function findServices(env: NodeJS.ProcessEnv): readonly string[] {
  return Object.keys(env)
    .filter((variable) => env[variable] !== undefined)
    .flatMap((variable) => {
      const words = /^([A-Z].*)_SERVICE_API_URL$/.exec(variable)?.[1]?.toLowerCase() ?? ''
      const camelCase = words.replace(/_([a-z\d])/g, (_, letter: string) => letter.toUpperCase())
      // The camel case of `USER_2` is `user2`, whose variable starts with `USER2`.
      return [camelCase, words].find((name) => name !== '' && toVariable(name) === variable) ?? []
    })
    .toSorted()
}

/** A credential source, and its name in messages. */
export interface Credentials {
  readonly source: CredentialSource
  readonly name: string
}

/** Finds credentials: of the profile, else of environment variables, else of the AWS SDK's provider chain. */
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

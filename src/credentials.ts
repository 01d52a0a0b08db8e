import type { OptionSchemaRule } from '@middy/util'

/** Keys that sign requests, as the AWS SDK writes them. */
export interface AwsCredentialIdentity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

/** Called for each signature; caching and refreshing are its own. */
export type AwsCredentialProvider = () => AwsCredentialIdentity | Promise<AwsCredentialIdentity>

/** Schema of a `credentials` option. */
export const credentialsRule: OptionSchemaRule = {
  oneOf: [
    { instanceof: 'Function' },
    {
      type: 'object',
      required: ['accessKeyId', 'secretAccessKey'],
      properties: { accessKeyId: { type: 'string' }, secretAccessKey: { type: 'string' } },
      additionalProperties: true,
    },
  ],
}

/**
 * Credentials as given, else the environment's, read at each signature because Lambda's own may change under a function,
 * else the AWS SDK's provider chain, which is loaded only then: it is eight times the size of everything else here.
 */
export function createCredentialProvider(
  option?: AwsCredentialIdentity | AwsCredentialProvider,
  env: NodeJS.ProcessEnv = process.env,
): AwsCredentialProvider {
  if (typeof option === 'function') return async () => checkIdentity(await option())
  if (option !== undefined) return () => checkIdentity(option)
  let chain: Promise<AwsCredentialProvider> | undefined
  return async () => {
    const fromEnvironment = readEnvironment(env)
    if (fromEnvironment !== undefined) return checkIdentity(fromEnvironment)
    chain ??= import('@aws-sdk/credential-provider-node').then(({ defaultProvider }) => defaultProvider())
    return checkIdentity(await (await chain)())
  }
}

function readEnvironment(env: NodeJS.ProcessEnv): AwsCredentialIdentity | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env
  if (!accessKeyId || !secretAccessKey) return undefined
  return { accessKeyId, secretAccessKey, ...(token && { sessionToken: token }) }
}

/** Its own copy, so that nobody changes it between token and signature. */
function checkIdentity(identity: AwsCredentialIdentity): AwsCredentialIdentity {
  const { accessKeyId, secretAccessKey, sessionToken }: Partial<AwsCredentialIdentity> = identity ?? {}
  // A value that no header can hold would end up, readable, in the message of whatever refuses it.
  const isSendable = (value: unknown): value is string => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)
  if (!isSendable(accessKeyId)) throw new TypeError('accessKeyId is missing or not printable ASCII')
  if (!isSendable(secretAccessKey)) throw new TypeError('secretAccessKey is missing or not printable ASCII')
  if (sessionToken === undefined || sessionToken === null) return { accessKeyId, secretAccessKey }
  if (!isSendable(sessionToken)) throw new TypeError('sessionToken is not printable ASCII')
  return { accessKeyId, secretAccessKey, sessionToken }
}

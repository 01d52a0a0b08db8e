/** Keys that sign requests, as the AWS SDK writes them: printable ASCII, or the call is refused. */
export interface AwsCredentialIdentity {
  /** Goes out with each request, as part of its `authorization`. */
  readonly accessKeyId: string
  /** Signs, and is never sent. */
  readonly secretAccessKey: string
  /** Goes out as `x-amz-security-token`; absent for keys that last. */
  readonly sessionToken?: string
  /** When the keys end. */
  readonly expiration?: Date
}

/**
 * Gives credentials. With an `expiration` they are kept until then, and renewed in the background during the last five
 * minutes; without one, the provider is asked for each signature. What it throws while a call waits
 * for it is the `cause` of a `ServiceRequestError`.
 */
export type AwsCredentialProvider = (options?: {
  /** Set after a token was refused: what is cached will not do. */
  readonly forceRefresh?: boolean
}) => AwsCredentialIdentity | Promise<AwsCredentialIdentity>

/** Where signatures get their credentials. */
export interface CredentialSource {
  /** A promise only where a provider is asked. */
  get(): AwsCredentialIdentity | Promise<AwsCredentialIdentity>
  /** What to go on with after the gateway refused an identity's token; the same identity if there is no other. */
  renew(refused: AwsCredentialIdentity): Promise<AwsCredentialIdentity>
}

/** One that asks. */
export interface ProviderSource extends CredentialSource {
  get(): Promise<AwsCredentialIdentity>
}

/** Whether a value has the form of an identity. */
export function isIdentity(value: unknown): value is AwsCredentialIdentity {
  const { accessKeyId, secretAccessKey } = Object(value) as Partial<AwsCredentialIdentity>
  return typeof accessKeyId === 'string' && typeof secretAccessKey === 'string'
}

const REFRESH_MS = 300_000

/**
 * Credentials as given, else the environment's, read at each signature because Lambda's own may change under a function,
 * else the AWS SDK's provider chain, which is loaded only then: it is several times the size of everything else here.
 */
export function createCredentialSource(
  option?: AwsCredentialIdentity | AwsCredentialProvider,
  env: NodeJS.ProcessEnv = process.env,
): CredentialSource {
  if (typeof option === 'function') return createProviderSource(option)
  if (option !== undefined) {
    return { get: () => checkIdentity(option), renew: async () => checkIdentity(option) }
  }
  const chain = createProviderSource(async (options) => {
    const module = await import('@aws-sdk/credential-provider-node')
    // The package is CommonJS. In a split or CommonJS bundle, its exports may be members of `default` and nowhere else.
    const { defaultProvider = module.default.defaultProvider } = module
    provider ??= defaultProvider()
    return provider(options)
  })
  let provider: AwsCredentialProvider | undefined
  let last: AwsCredentialIdentity | undefined
  const read = () => {
    last = readEnvironment(env, last)
    return last
  }
  return {
    get: () => read() ?? chain.get(),
    renew: async (refused) => read() ?? chain.renew(refused),
  }
}

/** One call of the provider at a time, whoever waits for it. */
export function createProviderSource(provider: AwsCredentialProvider, now: () => number = Date.now): ProviderSource {
  let cached: AwsCredentialIdentity | undefined
  let flight: { readonly forced: boolean; readonly identity: Promise<AwsCredentialIdentity> } | undefined

  const load = (forced: boolean) => {
    const ask = async () => {
      try {
        // Later, so that a provider that throws at once does not leave its flight behind.
        const identity = await Promise.resolve().then(() => provider(forced ? { forceRefresh: true } : undefined))
        cached = checkIdentity(identity)
        return cached
      } finally {
        flight = undefined
      }
    }
    flight ??= { forced, identity: ask() }
    return flight.identity
  }

  return {
    async get() {
      const left = (cached?.expiration?.getTime() ?? 0) - now()
      if (!(left > 0)) return load(false)
      // Whoever needs a fresh one hears of a failure; here, what is cached is still good.
      if (left < REFRESH_MS) load(false).catch(() => {})
      return cached as AwsCredentialIdentity
    },
    async renew(refused) {
      if (flight !== undefined) {
        const { forced, identity } = flight
        const other = await identity.catch(() => undefined)
        if (other !== undefined && (forced || !isSameIdentity(other, refused))) return other
      }
      return cached !== undefined && !isSameIdentity(cached, refused) ? cached : load(true)
    },
  }
}

export function isSameIdentity(a: AwsCredentialIdentity, b: AwsCredentialIdentity): boolean {
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey && a.sessionToken === b.sessionToken
}

/** The same object as long as nothing has changed. */
function readEnvironment(
  env: NodeJS.ProcessEnv,
  last: AwsCredentialIdentity | undefined,
): AwsCredentialIdentity | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: token } = env
  if (!accessKeyId || !secretAccessKey) return undefined
  const identity = { accessKeyId, secretAccessKey, ...(token && { sessionToken: token }) }
  return last !== undefined && isSameIdentity(last, identity) ? last : checkIdentity(identity)
}

/**
 * A copy of an identity, so that nobody changes it between token and signature.
 * @throws TypeError for one that cannot sign, without showing it
 */
export function checkIdentity(identity: AwsCredentialIdentity): AwsCredentialIdentity {
  const { accessKeyId, secretAccessKey, sessionToken, expiration }: Partial<AwsCredentialIdentity> = identity ?? {}
  // A value that no header can hold would end up, readable, in the message of whatever refuses it.
  const isSendable = (value: unknown): value is string => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)
  if (!isSendable(accessKeyId)) throw new TypeError('accessKeyId is missing or not printable ASCII')
  if (!isSendable(secretAccessKey)) throw new TypeError('secretAccessKey is missing or not printable ASCII')
  const copy = { accessKeyId, secretAccessKey, ...(expiration instanceof Date && { expiration }) }
  if (sessionToken === undefined || sessionToken === null) return copy
  if (!isSendable(sessionToken)) throw new TypeError('sessionToken is not printable ASCII')
  return { ...copy, sessionToken }
}

import { unlessAborted } from '../transport/index.ts'

/** Keys that sign requests, in the AWS SDK's form. They must be printable ASCII. */
export interface AwsCredentialIdentity {
  /** Sent with each request, as part of the header `authorization`. */
  readonly accessKeyId: string
  /** Signs requests. Never sent. */
  readonly secretAccessKey: string
  /** Sent as the header `x-amz-security-token`. Absent for long-term keys. */
  readonly sessionToken?: string
  /** When the keys expire. */
  readonly expiration?: Date
}

/**
 * Returns credentials. With an `expiration`, the client caches them until then, and renews them in the background
 * during the last five minutes. Without one, it calls the provider for each signature. If the provider throws while a
 * call waits for it, the call throws a `ServiceRequestError` with that error as its `cause`.
 */
export type AwsCredentialProvider = (options?: {
  /** True after the gateway has rejected a token: the provider must not return cached credentials. */
  readonly forceRefresh?: boolean
  /** Never set. Declared so that the AWS SDK's own providers, such as `fromTemporaryCredentials()`, fit the type. */
  readonly callerClientConfig?: never
}) => AwsCredentialIdentity | Promise<AwsCredentialIdentity>

/** Source of the credentials for signatures. */
export interface CredentialSource {
  /** Returns a promise only if a provider is called. The signal ends the wait. */
  get(signal?: AbortSignal): AwsCredentialIdentity | Promise<AwsCredentialIdentity>
  /** Returns new credentials after the gateway has rejected a token. Returns the same identity if there is no other. */
  renew(rejected: AwsCredentialIdentity, signal?: AbortSignal): Promise<AwsCredentialIdentity>
}

/** A source that calls a provider. */
export interface ProviderSource extends CredentialSource {
  get(signal?: AbortSignal): Promise<AwsCredentialIdentity>
}

/** Whether a value has the form of an identity. */
export function isIdentity(value: unknown): value is AwsCredentialIdentity {
  const { accessKeyId, secretAccessKey } = Object(value) as Partial<AwsCredentialIdentity>
  return typeof accessKeyId === 'string' && typeof secretAccessKey === 'string'
}

const REFRESH_MS = 300_000

/**
 * Timeout of a provider, in milliseconds. The AWS SDK's providers take a few seconds at most, also to assume a role.
 */
const PROVIDER_TIMEOUT_MS = 30_000

/** Milliseconds between two forced refreshes, so that many rejected calls cause only one. */
const FORCED_PAUSE_MS = 1_000

/** A bundle may leave the provider chain out, because Lambda sets the environment variables. */
const NO_PROVIDER_CHAIN = 'AWS_ACCESS_KEY_ID is not set, and @aws-sdk/credential-provider-node cannot be loaded'

/**
 * Creates the source of the given credentials. Without any, it reads environment variables for each signature, because
 * Lambda may change them while a function runs. If these are not set, it loads the AWS SDK's provider chain, which is
 * several times the size of this package.
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
    const module = await import('@aws-sdk/credential-provider-node').catch((cause: unknown) => {
      throw new Error(NO_PROVIDER_CHAIN, { cause })
    })
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
    get: (signal) => read() ?? chain.get(signal),
    renew: async (rejected, signal) => read() ?? chain.renew(rejected, signal),
  }
}

/** One call of the provider, shared by all callers that wait for it. */
interface Refresh {
  readonly forced: boolean
  readonly identity: Promise<AwsCredentialIdentity>
  waiting: number
}

/**
 * Calls the provider at most once at a time. A provider call is abandoned if it takes too long, or if no caller waits
 * for it any more. Then the next caller starts a new one.
 */
export function createProviderSource(provider: AwsCredentialProvider, now: () => number = Date.now): ProviderSource {
  let cached: AwsCredentialIdentity | undefined
  let current: Refresh | undefined
  let forcedAt = Number.NEGATIVE_INFINITY

  const refresh = (forced: boolean): Refresh => {
    if (current !== undefined) return current
    if (forced) forcedAt = now()
    // In a microtask, so that a provider that throws synchronously rejects this promise.
    const identityPromise = Promise.resolve()
      .then(() => provider(forced ? { forceRefresh: true } : undefined))
      .then((given) => {
        const identity = checkIdentity(given)
        // An abandoned provider call may return after a later one.
        if (current === own || cached === undefined) cached = identity
        return identity
      })
    const own: Refresh = { forced, identity: withinTime(identityPromise), waiting: 0 }
    current = own
    own.identity.catch(() => {}).then(() => abandon(own))
    return own
  }
  const abandon = (one: Refresh) => {
    if (current === one) current = undefined
  }
  const wait = async (own: Refresh, signal = new AbortController().signal): Promise<AwsCredentialIdentity> => {
    own.waiting += 1
    try {
      return await unlessAborted(own.identity, signal)
    } finally {
      own.waiting -= 1
      if (own.waiting === 0) abandon(own)
    }
  }

  return {
    async get(signal) {
      const left = (cached?.expiration?.getTime() ?? 0) - now()
      if (!(left > 0)) return wait(refresh(false), signal)
      // Refreshes in the background; the cached credentials are still valid.
      if (left < REFRESH_MS) refresh(false)
      return cached as AwsCredentialIdentity
    },
    async renew(rejected, signal) {
      const earlier = current
      if (earlier !== undefined) await wait(earlier, signal).catch(() => signal?.throwIfAborted())
      // Calls that are rejected together share one forced refresh.
      const isForced = earlier?.forced || Math.abs(now() - forcedAt) < FORCED_PAUSE_MS
      if (cached !== undefined && (isForced || !isSameIdentity(cached, rejected))) return cached
      return wait(refresh(true), signal)
    },
  }
}

/** Rejects if a provider exceeds its timeout. */
async function withinTime(identity: Promise<AwsCredentialIdentity>): Promise<AwsCredentialIdentity> {
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<never>((_, reject) => {
    const expire = () => reject(new Error(`the provider returned no credentials within ${PROVIDER_TIMEOUT_MS} ms`))
    timer = setTimeout(expire, PROVIDER_TIMEOUT_MS).unref()
  })
  return Promise.race([identity, timeUp]).finally(() => clearTimeout(timer))
}

export function isSameIdentity(a: AwsCredentialIdentity, b: AwsCredentialIdentity): boolean {
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey && a.sessionToken === b.sessionToken
}

/** Returns the same object as long as the variables have not changed. */
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
 * Checks and copies an identity, so that it cannot change between reading the token and signing.
 * @throws TypeError for an invalid identity, without quoting it
 */
export function checkIdentity(identity: AwsCredentialIdentity): AwsCredentialIdentity {
  const { accessKeyId, secretAccessKey, sessionToken, expiration }: Partial<AwsCredentialIdentity> = identity ?? {}
  // An invalid header value would appear in the error message of the code that rejects it.
  const isSendable = (value: unknown): value is string => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)
  if (!isSendable(accessKeyId)) throw new TypeError('accessKeyId is missing or not printable ASCII')
  if (!isSendable(secretAccessKey)) throw new TypeError('secretAccessKey is missing or not printable ASCII')
  const copy = { accessKeyId, secretAccessKey, ...(expiration instanceof Date && { expiration }) }
  if (sessionToken === undefined || sessionToken === null) return copy
  if (!isSendable(sessionToken)) throw new TypeError('sessionToken is not printable ASCII')
  return { ...copy, sessionToken }
}

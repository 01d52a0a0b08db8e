import { unlessAborted } from '../transport/index.ts'

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
  /** Never set. Declared so that the AWS SDK's own providers, such as `fromTemporaryCredentials()`, fit the type. */
  readonly callerClientConfig?: never
}) => AwsCredentialIdentity | Promise<AwsCredentialIdentity>

/** Where signatures get their credentials. */
export interface CredentialSource {
  /** A promise only where a provider is asked. The signal ends the wait for it. */
  get(signal?: AbortSignal): AwsCredentialIdentity | Promise<AwsCredentialIdentity>
  /** What to go on with after the gateway refused an identity's token; the same identity if there is no other. */
  renew(refused: AwsCredentialIdentity, signal?: AbortSignal): Promise<AwsCredentialIdentity>
}

/** One that asks. */
export interface ProviderSource extends CredentialSource {
  get(signal?: AbortSignal): Promise<AwsCredentialIdentity>
}

/** Whether a value has the form of an identity. */
export function isIdentity(value: unknown): value is AwsCredentialIdentity {
  const { accessKeyId, secretAccessKey } = Object(value) as Partial<AwsCredentialIdentity>
  return typeof accessKeyId === 'string' && typeof secretAccessKey === 'string'
}

const REFRESH_MS = 300_000

/** Milliseconds that a provider may take: the AWS SDK's own take seconds at most, roles to assume included. */
const PROVIDER_TIMEOUT_MS = 30_000

/** Milliseconds in which a provider is asked once for a token in place of a refused one. */
const FORCED_PAUSE_MS = 1_000

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
    get: (signal) => read() ?? chain.get(signal),
    renew: async (refused, signal) => read() ?? chain.renew(refused, signal),
  }
}

/** One question to the provider, for all that wait for it. */
interface Flight {
  readonly forced: boolean
  readonly identity: Promise<AwsCredentialIdentity>
  waiting: number
}

/**
 * Asks the provider once at a time. A question that takes too long, or that nobody waits for any more, is given up: whoever
 * comes next asks again.
 */
export function createProviderSource(provider: AwsCredentialProvider, now: () => number = Date.now): ProviderSource {
  let cached: AwsCredentialIdentity | undefined
  let flight: Flight | undefined
  let forcedAt = Number.NEGATIVE_INFINITY

  const ask = (forced: boolean): Flight => {
    if (flight !== undefined) return flight
    if (forced) forcedAt = now()
    // Later, so that a provider that throws at once does not leave its flight behind.
    const asked = Promise.resolve()
      .then(() => provider(forced ? { forceRefresh: true } : undefined))
      .then((answer) => {
        const identity = checkIdentity(answer)
        // A question that was given up may be answered after a later one.
        if (flight === own || cached === undefined) cached = identity
        return identity
      })
    const own: Flight = { forced, identity: withinTime(asked), waiting: 0 }
    flight = own
    own.identity.catch(() => {}).then(() => leave(own))
    return own
  }
  const leave = (left: Flight) => {
    if (flight === left) flight = undefined
  }
  const wait = async (own: Flight, signal: AbortSignal | undefined): Promise<AwsCredentialIdentity> => {
    if (signal === undefined) return own.identity
    own.waiting += 1
    try {
      return await unlessAborted(own.identity, signal)
    } finally {
      own.waiting -= 1
      if (own.waiting === 0) leave(own)
    }
  }

  return {
    async get(signal) {
      const left = (cached?.expiration?.getTime() ?? 0) - now()
      if (!(left > 0)) return wait(ask(false), signal)
      // Refreshes in the background; the cached credentials are still valid.
      if (left < REFRESH_MS) ask(false)
      return cached as AwsCredentialIdentity
    },
    async renew(refused, signal) {
      if (flight !== undefined) {
        const { forced } = flight
        const other = await wait(flight, signal).catch(() => undefined)
        if (other !== undefined && (forced || !isSameIdentity(other, refused))) return other
      }
      if (cached !== undefined && !isSameIdentity(cached, refused)) return cached
      // Calls that are refused together need one answer, which they have.
      if (cached !== undefined && Math.abs(now() - forcedAt) < FORCED_PAUSE_MS) return cached
      return wait(ask(true), signal)
    },
  }
}

/** Rejects where a provider takes longer than any should. */
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

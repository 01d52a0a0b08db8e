import { SignatureV4 } from '@aws-sdk/signature-v4'
import { type OptionSchema, validateOptions } from '@middy/util'
import { unlessAborted } from './abort.ts'
import { createCanonicalRequest, createStringToSign } from './canonical-request.ts'
import { type CatchUp, createCatchUp } from './catch-up.ts'
import { type Clock, createClock } from './clock.ts'
import {
  type AwsCredentialIdentity,
  type AwsCredentialProvider,
  type CredentialSource,
  createCredentialSource,
  credentialsRule,
  isSameIdentity,
} from './credentials.ts'
import { type CallInfo, packageName, ServiceRequestError } from './errors.ts'
import { readHealable } from './refusal.ts'
import { Sha256, sha256Hex } from './sha256.ts'
import { type SigningMessage, signingChannel } from './signing-channel.ts'
import { keepOneTrace, openToCapture } from './trace-header.ts'
import { toWireUrl, type WireUrl } from './wire-url.ts'

/** Options of `createSignedFetch`. */
export interface SignedFetchOptions {
  /** Identity or provider; default: the environment's credentials, else the AWS SDK's provider chain. */
  readonly credentials?: AwsCredentialIdentity | AwsCredentialProvider
  /** AWS region of the credential scope, such as `eu-central-1`. */
  readonly region: string
  /** Signing name of the AWS service, such as `execute-api`, `lambda` or `appsync`. */
  readonly service: string
  /** What sends the signed request; default: `globalThis.fetch`, looked up at each call. */
  readonly fetch?: typeof globalThis.fetch
}

/** A call as the signed fetch sees it: it counts what went out, and remembers what no error may show. */
export interface SignedCall extends CallInfo {
  attempts: number
  readonly secrets: Set<string>
  /** Of the last attempt, to compare with what a gateway says it should have been. */
  canonicalRequest?: string
}

/** Whom requests are signed for, and who sends them. */
export interface SigningTarget {
  readonly credentials: CredentialSource
  readonly region: string
  readonly signingName: string
  readonly fetch: typeof globalThis.fetch | undefined
  readonly clock: Clock
  readonly catchUp: CatchUp
}

/** Signs `request` and sends it; `init` is passed on to `fetch`, its `signal` in place of the request's own. */
export type SendSigned = (request: Request, call: SignedCall, init?: RequestInit) => Promise<Response>

const schema: OptionSchema = {
  type: 'object',
  required: ['region', 'service'],
  properties: {
    credentials: credentialsRule,
    region: { type: 'string', minLength: 1 },
    service: { type: 'string', minLength: 1 },
    fetch: { instanceof: 'Function' },
  },
}

/** API Gateway's own limit of a request's payload, in bytes. */
const MAX_EXECUTE_API_BODY = 10_485_760

/**
 * A `fetch` that signs what it sends with Signature Version 4: any URL, no retries, no followed redirects.
 * Rejects with `ServiceRequestError` for what cannot be signed, otherwise as `fetch` does.
 */
export function createSignedFetch(options: SignedFetchOptions): typeof globalThis.fetch {
  validateOptions(packageName, schema, { ...options })
  const { region, service, fetch } = options
  const credentials = createCredentialSource(options.credentials)
  const send = createSendSigned({
    credentials,
    region,
    signingName: service,
    fetch,
    clock: createClock(),
    catchUp: createCatchUp(),
  })
  return async (input, init) => {
    const request = new Request(input, init)
    const { pathname } = new URL(request.url)
    const call = {
      service,
      method: request.method,
      path: pathname,
      attempts: 0,
      secrets: new Set<string>(),
    }
    return send(request, call, init)
  }
}

/** The signed fetch underneath every client. */
export function createSendSigned(target: SigningTarget): SendSigned {
  const { credentials, region, signingName, fetch, clock, catchUp } = target
  const signerFor = createSignerCache()

  return async (request, call, init = {}) => {
    const signal = init.signal ?? request.signal
    const refuse = (problem: string, details?: { cause: unknown }) => new ServiceRequestError(call, problem, details)
    const url = new URL(request.url)
    const wire = toWireUrl(url)
    const headers = collectHeaders(request, wire, refuse)
    const body = await readBody(request, signal, refuse)
    if (signingName === 'execute-api' && body !== undefined && body.byteLength > MAX_EXECUTE_API_BODY) {
      throw refuse(`the body has ${body.byteLength} bytes, API Gateway takes ${MAX_EXECUTE_API_BODY} at most`)
    }
    const payloadHash = signingName === 'vpc-lattice-svcs' ? 'UNSIGNED-PAYLOAD' : sha256Hex(body ?? '')

    const signAndSend = async (identity: AwsCredentialIdentity, signedAt: number) => {
      const signed = await sign(identity, new Date(signedAt))
      // A retry follows an answer or a timer, by which the event loop has turned.
      if (call.attempts === 0) await catchUp()
      signal.throwIfAborted()
      call.attempts += 1
      const outgoing: RequestInit & { readonly signal: AbortSignal } = {
        ...init,
        method: request.method,
        headers: signed,
        body: body ?? null,
        redirect: 'manual',
        // ky sets it on the Request alone.
        ...(request.integrity && { integrity: request.integrity }),
        signal,
      }
      const transport = fetch ?? globalThis.fetch
      const release = keepOneTrace(signed)
      try {
        const answer = transport(
          transport === globalThis.fetch ? openToCapture(wire.href, outgoing) : wire.href,
          outgoing,
        )
        // A transport that never settles must not keep us subscribed.
        return await (release === undefined ? answer : unlessAborted(answer, signal))
      } finally {
        release?.()
      }
    }

    /** The headers of one attempt, signature included. */
    const sign = async (identity: AwsCredentialIdentity, signingDate: Date) => {
      const amzDate = signingDate.toISOString().replace(/[-:]|\.\d{3}/g, '')
      const scope = `${amzDate.slice(0, 8)}/${region}/${signingName}/aws4_request`
      const signed = new Headers(headers)
      signed.set('x-amz-date', amzDate)
      signed.set('x-amz-content-sha256', payloadHash)
      if (identity.sessionToken !== undefined) signed.set('x-amz-security-token', identity.sessionToken)
      const signable: [string, string][] = [['host', wire.host], ...[...signed].filter(([name]) => isSigned(name))]
      const canonical = createCanonicalRequest(request.method, wire.path, wire.query, signable, payloadHash)
      call.canonicalRequest = canonical.text
      const signature = await signerFor(identity).sign(createStringToSign(amzDate, scope, canonical.text), {
        signingDate,
        signingRegion: region,
        signingService: signingName,
      })
      if (signingChannel.hasSubscribers) {
        signingChannel.publish({ signature, canonicalRequest: canonical.text } satisfies SigningMessage)
      }
      const { accessKeyId, secretAccessKey, sessionToken } = identity
      for (const secret of [signature, accessKeyId, secretAccessKey, sessionToken]) {
        if (secret !== undefined) call.secrets.add(secret)
      }
      const credential = `${identity.accessKeyId}/${scope}`
      signed.set(
        'authorization',
        `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${canonical.signedHeaders}, Signature=${signature}`,
      )
      return signed
    }

    const identity = await getIdentity(credentials, signal, refuse)
    const signedAt = clock.now(url.origin)
    const response = await signAndSend(identity, signedAt)

    // What the gateway refused has not run, so that any method may be sent again.
    const healable = await readHealable(response)
    const renewed =
      healable === 'token' ? await unlessAborted(credentials.renew(identity), signal).catch(() => identity) : identity
    const isHealed =
      healable === 'token'
        ? !isSameIdentity(renewed, identity)
        : healable === 'time' && clock.learn(url.origin, response.headers, signedAt)
    if (!isHealed) return response
    await response.body?.cancel()
    return signAndSend(renewed, clock.now(url.origin))
  }
}

type Refuse = (problem: string, details?: { cause: unknown }) => ServiceRequestError

/** An allow-list: what is not signed may be changed on the way, as proxies and tracers do. */
function isSigned(header: string): boolean {
  return header === 'content-type' || header.startsWith('x-amz-')
}

/** The caller's headers without what signing sets anew, in the form in which they are both sent and signed. */
function collectHeaders(request: Request, url: WireUrl, refuse: Refuse): Headers {
  const headers = new Headers(request.headers)
  if (headers.has('authorization')) throw refuse("the header 'authorization' is the signature's own")
  const host = headers.get('host')
  if (host !== null && host !== url.host) {
    throw refuse(`the header 'host' cannot differ from the URL's ${url.host}; VPC endpoints take 'x-apigw-api-id'`)
  }
  // `fetch` writes the length itself; a forwarded one would be that of another body.
  for (const name of ['host', 'content-length', 'x-amz-security-token']) headers.delete(name)
  for (const [name, value] of headers) {
    if (!isSigned(name)) continue
    if (!/^[\x20-\x7e]*$/.test(value)) throw refuse(`the header '${name}' is signed and must be printable ASCII`)
    headers.set(name, value.replace(/ {2,}/g, ' '))
  }
  return headers
}

async function readBody(
  request: Request,
  signal: AbortSignal,
  refuse: Refuse,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (request.body === null) return undefined
  try {
    return new Uint8Array(await unlessAborted(request.arrayBuffer(), signal))
  } catch (cause) {
    signal.throwIfAborted()
    throw refuse('the body could not be read', { cause })
  }
}

async function getIdentity(
  credentials: CredentialSource,
  signal: AbortSignal,
  refuse: Refuse,
): Promise<AwsCredentialIdentity> {
  try {
    return await unlessAborted(credentials.get(), signal)
  } catch (cause) {
    signal.throwIfAborted()
    throw refuse(`no credentials: ${cause instanceof Error ? cause.message : 'the provider failed'}`, { cause })
  }
}

/** One signer an identity, so that a token is never sent with another identity's signature. */
function createSignerCache(): (identity: AwsCredentialIdentity) => SignatureV4 {
  let last: { identity: AwsCredentialIdentity; signer: SignatureV4 } | undefined
  return (identity) => {
    if (last === undefined || !isSameIdentity(last.identity, identity)) {
      // Region and service have no default here: every signature names its own.
      const signer = new SignatureV4({ credentials: identity, region: '', service: '', sha256: Sha256 })
      last = { identity, signer }
    }
    return last.signer
  }
}

import { type OptionSchema, validateOptions } from '@middy/util'
import { unlessAborted } from '../client/abort.ts'
import { keepOneTrace, openToCapture } from '../client/trace-header.ts'
import { readErrorType, readHealable } from '../errors/refusal.ts'
import { type CallInfo, packageName, ServiceRequestError } from '../errors/service-errors.ts'
import { type CatchUp, createCatchUp } from '../transport/freeze-guard.ts'
import { keepConnection } from '../transport/keep-alive.ts'
import { type Clock, createClock } from './clock-skew.ts'
import {
  type AwsCredentialIdentity,
  type AwsCredentialProvider,
  type CredentialSource,
  createCredentialSource,
  credentialsRule,
  isSameIdentity,
} from './credentials.ts'
import { type Copied, type Outgoing, type Payload, readOutgoing } from './request-body.ts'
import { sha256Hex } from './sha256.ts'
import { createSign, isSigned } from './signer.ts'
import { toWireUrl, type WireUrl } from './wire-url.ts'

/** Options of `createSignedFetch`. */
export interface SignedFetchOptions {
  /** Identity or provider; default: the environment's credentials, else the AWS SDK's provider chain. */
  readonly credentials?: AwsCredentialIdentity | AwsCredentialProvider
  /** AWS region of the credential scope, such as `eu-central-1`; has no default. */
  readonly region: string
  /** Signing name of the AWS service, such as `execute-api`, `lambda` or `appsync`; has no default. */
  readonly service: string
  /** What sends the signed request; default: `globalThis.fetch`, looked up at each call. */
  readonly fetch?: typeof globalThis.fetch
}

/** A call as the signed fetch sees it: it counts what went out, and remembers what no error may show. */
interface SignedCall extends CallInfo {
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

/** Signs a request and sends it. */
export type SendSigned = (request: Outgoing & { readonly signal: AbortSignal }, call: SignedCall) => Promise<Response>

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

/**
 * API Gateway's own limit of a request's payload, in bytes.
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
 */
const MAX_EXECUTE_API_BODY = 10_485_760

/**
 * A `fetch` that signs what it sends with Signature Version 4: any URL, no retries, no followed redirects.
 * Rejects with `ServiceRequestError` for what cannot be signed, otherwise as `fetch` does.
 * @param options For whom to sign; region and service have no defaults.
 * @throws TypeError for the first mistake in the options
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
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
    const request = readOutgoing(input instanceof Request ? input : new URL(input), init)
    const { method, url } = request
    const signal = init?.signal ?? (input instanceof Request ? input.signal : new AbortController().signal)
    const call = { service, method, path: url.pathname, attempts: 0, secrets: new Set<string>() }
    return send({ ...request, signal }, call)
  }
}

/** The signed fetch underneath every client. */
export function createSendSigned(target: SigningTarget): SendSigned {
  const { credentials, region, signingName, fetch, clock, catchUp } = target
  const sign = createSign({ region, service: signingName })

  return async ({ method, url, headers, body, signal, init }, call) => {
    const refuse = (problem: string, details?: { cause: unknown }) => new ServiceRequestError(call, problem, details)
    const wire = toWireUrl(url)
    const own = collectHeaders(headers, wire, refuse)
    const payload = body instanceof Request ? await readBody(body, signal, refuse) : body
    if (signingName === 'execute-api' && payload !== undefined) checkSize(payload, refuse)
    const payloadHash = signingName === 'vpc-lattice-svcs' ? 'UNSIGNED-PAYLOAD' : hashOf(payload)
    const signable = { method, wire, headers: own, payloadHash }

    const signAndSend = async (identity: AwsCredentialIdentity, signedAt: number) => {
      const signing = sign(signable, identity, new Date(signedAt))
      const signed = signing instanceof Promise ? await signing : signing
      call.canonicalRequest = signed.canonicalRequest
      const { accessKeyId, secretAccessKey, sessionToken } = identity
      for (const secret of [signed.signature, accessKeyId, secretAccessKey, sessionToken]) {
        if (secret !== undefined) call.secrets.add(secret)
      }
      // A retry follows an answer or a timer, by which the event loop has turned. Without a pause it is a microtask of its
      // own all the same: a transport that is traced must not leave its context to the caller.
      await (call.attempts === 0 ? catchUp() : undefined)
      const outgoing: RequestInit & { readonly signal: AbortSignal } = {
        ...init,
        method,
        headers: signed.headers,
        body: isCopied(payload) ? payload.blob : (payload ?? null),
        redirect: 'manual',
        signal,
      }
      const isBuiltIn = fetch === undefined && keepConnection(outgoing, url.origin)
      // Stryker disable next-line ConditionalExpression: the built-in one takes either, this at a higher cost.
      if (!isBuiltIn) {
        // Others may want to read what they are given.
        outgoing.headers = new Headers(signed.headers)
        if (isCopied(payload)) outgoing.body = new Uint8Array(await payload.blob.arrayBuffer())
      }
      signal.throwIfAborted()
      call.attempts += 1
      const transport = fetch ?? globalThis.fetch
      const release = keepOneTrace(signed.headers.authorization)
      try {
        const answer = transport(
          transport === globalThis.fetch ? openToCapture(wire.href, outgoing) : wire.href,
          outgoing,
        )
        // A transport that never settles must not keep us subscribed.
        // Stryker disable next-line ConditionalExpression: whoever is not subscribed loses nothing by it.
        return await (release === undefined ? answer : unlessAborted(answer, signal))
      } finally {
        release?.()
      }
    }

    const found = getIdentity(credentials, signal, refuse)
    const identity = found instanceof Promise ? await found : found
    const signedAt = clock.now(url.origin)
    const response = await signAndSend(identity, signedAt)

    // What the gateway refused has not run, so that any method may be sent again.
    const healable = readErrorType(response.headers) && (await readHealable(response))
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

/** The caller's headers without what signing sets anew, in the form in which they are both sent and signed. */
function collectHeaders(given: Headers, url: WireUrl, refuse: Refuse): Record<string, string> {
  if (given.has('authorization')) throw refuse("the header 'authorization' is the signature's own")
  const host = given.get('host')
  if (host !== null && host !== url.host) {
    throw refuse(`the header 'host' cannot differ from the URL's ${url.host}; VPC endpoints take 'x-apigw-api-id'`)
  }
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of given) {
    // `fetch` writes the length itself; a forwarded one would be that of another body.
    if (name === 'host' || name === 'content-length' || name === 'x-amz-security-token') continue
    if (isSigned(name) && !/^[\x20-\x7e]*$/.test(value)) {
      throw refuse(`the header '${name}' is signed and must be printable ASCII`)
    }
    headers[name] = isSigned(name) ? value.replace(/ {2,}/g, ' ') : value
  }
  return headers
}

function isCopied(payload: Payload | undefined): payload is Copied {
  return typeof payload === 'object' && 'blob' in payload
}

function hashOf(payload: Payload = ''): string {
  return isCopied(payload) ? payload.hash : sha256Hex(payload)
}

function checkSize(payload: Payload, refuse: Refuse): void {
  const size = isCopied(payload) ? payload.blob.size : Buffer.byteLength(payload)
  if (size <= MAX_EXECUTE_API_BODY) return
  throw refuse(`the body has ${size} bytes, API Gateway takes ${MAX_EXECUTE_API_BODY} at most`)
}

async function readBody(request: Request, signal: AbortSignal, refuse: Refuse): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await unlessAborted(request.arrayBuffer(), signal))
  } catch (cause) {
    signal.throwIfAborted()
    throw refuse('the body could not be read', { cause })
  }
}

/** A promise only where a provider is asked. */
function getIdentity(
  credentials: CredentialSource,
  signal: AbortSignal,
  refuse: Refuse,
): AwsCredentialIdentity | Promise<AwsCredentialIdentity> {
  const fail = (cause: unknown): never => {
    signal.throwIfAborted()
    throw refuse(`no credentials: ${cause instanceof Error ? cause.message : 'the provider failed'}`, { cause })
  }
  try {
    const identity = credentials.get()
    return identity instanceof Promise ? unlessAborted(identity, signal).catch(fail) : identity
  } catch (cause) {
    return fail(cause)
  }
}

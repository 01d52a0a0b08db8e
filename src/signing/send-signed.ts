import {
  type CallInfo,
  messageOf,
  NO_CREDENTIALS,
  type Remedy,
  readHealable,
  redactCause,
  redactMessage,
  ServiceRequestError,
} from '../errors/index.ts'
import {
  type Fetch,
  type ReceivedResponse,
  ready,
  type SendOptions,
  send,
  sendsByNode,
  unlessAborted,
} from '../transport/index.ts'
import { type ClockSkew, TOLERANCE_MS } from './clock-skew.ts'
import { type AwsCredentialIdentity, type CredentialSource, isSameIdentity } from './credentials.ts'
import type { UnsignedRequest } from './request-body.ts'
import { findKind } from './service-table.ts'
import { sha256Hex } from './sha256.ts'
import { createSign, isSigned } from './signer.ts'
import { toWireUrl, type WireUrl } from './wire-url.ts'

/** The members of a call that signing reads and updates. */
export interface SignedCall extends CallInfo {
  /** Counts the requests that were sent. */
  attempts: number
  /** Collects texts that no error may show. */
  readonly secrets: Set<string>
  /** Canonical request of the last attempt, for comparison with the gateway's. */
  canonicalRequest?: string
  /** Collects what was changed after a rejection. */
  readonly tried: Set<Remedy>
}

/** How requests are signed and sent. */
export interface SigningOptions {
  readonly credentials: CredentialSource
  readonly region: string
  readonly signingName: string
  readonly fetch: Fetch | undefined
  readonly clock: ClockSkew
  /** Host to sign for and to send, if it differs from the URL's host. */
  readonly host?: string | undefined
}

/** Signs a request and sends it. If the gateway rejects its token or its time, signs and sends it once more. */
export type SendSigned = (request: UnsignedRequest, call: SignedCall, options: SendOptions) => Promise<ReceivedResponse>

/**
 * Headers of the caller that are dropped, because they are set again: a forwarded length may belong to another body.
 */
const NOT_SENT: ReadonlySet<string> = new Set(['connection', 'content-length', 'host', 'x-amz-security-token'])

/** Headers that control the connection. `fetch` rejects them, too. */
export const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

type Refuse = (problem: string, details?: { cause: unknown }) => ServiceRequestError

export function createSendSigned({ credentials, region, signingName, fetch, clock, host }: SigningOptions): SendSigned {
  const sign = createSign({ region, service: signingName })
  const kind = findKind(signingName)
  const { pathEncoding, payload, maxBodySize = Number.POSITIVE_INFINITY } = kind

  return async ({ method, url, headers, body: given, text, init }, call, options) => {
    const { signal } = options
    const refuse: Refuse = (problem, details) =>
      new ServiceRequestError(
        call,
        redactMessage(problem, call.secrets),
        details && { cause: redactCause(details.cause, call.secrets) },
      )
    if (host !== undefined && !sendsByNode({ fetch, init })) {
      throw refuse('the option host requires the HTTP client of Node.js, but this request would be sent by a fetch')
    }
    const wire = { ...toWireUrl(url, pathEncoding), ...(host !== undefined && { host }) }
    const own = collectHeaders(headers, wire, refuse)
    const body = given instanceof Request ? await readBody(given, signal, refuse) : given
    const size = body?.byteLength ?? 0
    if (size > maxBodySize) throw refuse(`the body has ${size} bytes, but API Gateway accepts at most ${maxBodySize}`)
    const payloadHash = payload === 'unsigned' ? 'UNSIGNED-PAYLOAD' : sha256Hex(body ?? '')

    const sendOnce = async (identity: AwsCredentialIdentity, signedAt: number) => {
      const signed = await signOrRefuse(identity, signedAt)
      call.canonicalRequest = signed.canonicalRequest
      const { accessKeyId, secretAccessKey, sessionToken } = identity
      for (const secret of [signed.signature, accessKeyId, secretAccessKey, sessionToken]) {
        if (secret !== undefined) call.secrets.add(secret)
      }
      // Only before the first attempt: a retry follows a response or a timer, so the event loop has already turned.
      if (call.attempts === 0) await ready({ fetch, init })
      signal.throwIfAborted()
      call.attempts += 1
      return send({ method, url: wire, headers: signed.headers, body, text }, { ...options, fetch, init })
    }

    const signOrRefuse = (identity: AwsCredentialIdentity, signedAt: number) => {
      try {
        return sign({ method, wire, headers: own, payloadHash }, identity, new Date(signedAt))
      } catch (cause) {
        throw refuse('the clock returned a time that a signature cannot contain', { cause })
      }
    }
    const found = getIdentity(credentials, signal, refuse)
    const identity = found instanceof Promise ? await found : found
    const signedAt = clock.now(wire.origin)
    const response = await sendOnce(identity, signedAt)

    // No code has run for a request that the gateway rejected, so any method may be sent again.
    if (response.status < 400) return response
    const healable = await readHealable(response, kind)
    const remedy = await findRemedy(healable)
    if (remedy === undefined) return response
    call.tried.add(remedy.name)
    await response.body?.cancel()
    const second = await sendOnce(remedy.identity, clock.now(wire.origin))
    if (remedy.name === 'corrected clock' && second.status >= 400) {
      // The date was not the gateway's, but for example a proxy's.
      if ((await readHealable(second, kind)) === 'time') clock.forget(wire.origin)
    }
    return second

    async function findRemedy(
      rejected: typeof healable,
    ): Promise<{ readonly name: Remedy; readonly identity: AwsCredentialIdentity } | undefined> {
      if (rejected === 'token') {
        const renewed = await credentials.renew(identity, signal).catch(() => identity)
        return isSameIdentity(renewed, identity) ? undefined : { name: 'other credentials', identity: renewed }
      }
      if (rejected === undefined) return undefined
      if (clock.learn(wire.origin, response.headers)) return { name: 'corrected clock', identity }
      // The request was signed before a freeze and sent after it, or before another call corrected the clock.
      const isStale = Math.abs(clock.now(wire.origin) - signedAt) >= TOLERANCE_MS
      if (isStale) return { name: 'fresh signature', identity }
      // The correction of the clock did not help.
      return clock.forget(wire.origin) ? { name: 'corrected clock', identity } : undefined
    }
  }
}

/** The caller's headers in the form that is both sent and signed, without those that signing sets. */
function collectHeaders(given: Headers, url: WireUrl, refuse: Refuse): Record<string, string> {
  if (given.has('authorization')) throw refuse("the header 'authorization' must not be set: signing sets it")
  const host = given.get('host')
  if (host !== null && host !== url.host) {
    throw refuse(
      `the header 'host' must be the URL's host ${url.host}; for a VPC endpoint, set the header 'x-apigw-api-id'`,
    )
  }
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of given) {
    if (NOT_SENT.has(name)) continue
    if (CONNECTION_HEADERS.has(name)) throw refuse(`the header '${name}' must not be set: it controls the connection`)
    if (isSigned(name) && !/^[\x20-\x7e]*$/.test(value)) {
      throw refuse(`the header '${name}' is signed and must be printable ASCII`)
    }
    headers[name] = isSigned(name) ? value.replace(/ {2,}/g, ' ') : value
  }
  return headers
}

async function readBody(request: Request, signal: AbortSignal, refuse: Refuse): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await unlessAborted(request.arrayBuffer(), signal))
  } catch (cause) {
    signal.throwIfAborted()
    throw refuse('the body could not be read', { cause })
  }
}

/** Returns a promise only if a provider is called. */
function getIdentity(
  credentials: CredentialSource,
  signal: AbortSignal,
  refuse: Refuse,
): AwsCredentialIdentity | Promise<AwsCredentialIdentity> {
  const fail = (cause: unknown): never => {
    signal.throwIfAborted()
    throw refuse(NO_CREDENTIALS + messageOf(cause), { cause })
  }
  try {
    const identity = credentials.get(signal)
    return identity instanceof Promise ? identity.catch(fail) : identity
  } catch (cause) {
    return fail(cause)
  }
}

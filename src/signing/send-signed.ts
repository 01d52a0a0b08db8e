import {
  type CallInfo,
  messageOf,
  NO_CREDENTIALS,
  type Remedy,
  readHealable,
  readTransportError,
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
import { collectHeaders, type Refuse } from './request-headers.ts'
import { findKind } from './service-table.ts'
import { sha256Hex } from './sha256.ts'
import { createSign } from './signer.ts'
import { toWireUrl } from './wire-url.ts'

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

export function createSendSigned(signing: SigningOptions): SendSigned {
  const { credentials, region, signingName, fetch, clock, host } = signing
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
    const signAt = (identity: AwsCredentialIdentity, time: number) => {
      try {
        return sign({ method, wire, headers: own, payloadHash }, identity, new Date(time))
      } catch (cause) {
        throw refuse('the clock returned a time that a signature cannot contain', { cause })
      }
    }

    const sendOnce = async (identity: AwsCredentialIdentity, time: number) => {
      const signed = await signAt(identity, time)
      call.canonicalRequest = signed.canonicalRequest
      const { accessKeyId, secretAccessKey, sessionToken } = identity
      for (const secret of [signed.signature, accessKeyId, secretAccessKey, sessionToken]) {
        if (secret !== undefined) call.secrets.add(secret)
      }
      // Only before the first attempt: a retry follows a response or a timer, so the event loop has already turned.
      if (call.attempts === 0) await ready({ fetch, init })
      signal.throwIfAborted()
      call.attempts += 1
      try {
        return await send({ method, url: wire, headers: signed.headers, body, text }, { ...options, fetch, init })
      } catch (error) {
        if (readTransportError(error).neverSent) call.attempts -= 1
        throw error
      }
    }

    const identity = await getIdentity(credentials, signal, refuse)
    const signedAt = clock.now(wire.origin)
    const response = await sendOnce(identity, signedAt)

    // No code has run for a request that the gateway rejected, so any method may be sent again.
    if (response.status < 400) return response
    const first = { identity, signedAt, origin: wire.origin, response }
    const remedy = await findRemedy(await readHealable(response, kind), first, signing, signal)
    if (remedy === undefined) return response
    call.tried.add(remedy.name)
    await response.body?.cancel()
    const second = await sendOnce(remedy.identity, clock.now(wire.origin))
    if (remedy.name === 'corrected clock' && (await readHealable(second, kind)) === 'time') {
      // The date was not the gateway's, but for example a proxy's.
      clock.forget(wire.origin)
    }
    return second
  }
}

async function readBody(request: Request, signal: AbortSignal, refuse: Refuse): Promise<Uint8Array<ArrayBuffer>> {
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
    return await credentials.get(signal)
  } catch (cause) {
    signal.throwIfAborted()
    throw refuse(`${NO_CREDENTIALS}${messageOf(cause)}`, { cause })
  }
}

/** A request that was sent, and its response. */
interface Sent {
  readonly identity: AwsCredentialIdentity
  /** Time of the signature, in milliseconds since the epoch. */
  readonly signedAt: number
  readonly origin: string
  readonly response: ReceivedResponse
}

/** Finds what to change before a rejected request is sent once more. Undefined if nothing would help. */
async function findRemedy(
  rejected: Awaited<ReturnType<typeof readHealable>>,
  { identity, signedAt, origin, response }: Sent,
  { credentials, clock }: SigningOptions,
  signal: AbortSignal,
): Promise<{ readonly name: Remedy; readonly identity: AwsCredentialIdentity } | undefined> {
  if (rejected === 'token') {
    const renewed = await credentials.renew(identity, signal).catch(() => identity)
    return isSameIdentity(renewed, identity) ? undefined : { name: 'other credentials', identity: renewed }
  }
  if (rejected === undefined) return undefined
  if (clock.learn(origin, response.headers)) return { name: 'corrected clock', identity }
  // The request was signed before a freeze and sent after it, or before another call corrected the clock.
  if (Math.abs(clock.now(origin) - signedAt) >= TOLERANCE_MS) return { name: 'fresh signature', identity }
  // The correction of the clock did not help.
  return clock.forget(origin) ? { name: 'corrected clock', identity } : undefined
}

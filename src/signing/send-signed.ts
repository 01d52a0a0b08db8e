import { type CallInfo, readErrorType, readHealable, ServiceRequestError } from '../errors/index.ts'
import { type Fetch, type ReceivedResponse, ready, send, type ToError, unlessAborted } from '../transport/index.ts'
import type { ClockSkew } from './clock-skew.ts'
import { type AwsCredentialIdentity, type CredentialSource, isSameIdentity } from './credentials.ts'
import type { UnsignedRequest } from './request-body.ts'
import { sha256Hex } from './sha256.ts'
import { createSign, isSigned } from './signer.ts'
import { toWireUrl, type WireUrl } from './wire-url.ts'

/** A call as signing sees it. */
export interface SignedCall extends CallInfo {
  /** Counts the requests that went out. */
  attempts: number
  /** Collects what no error may show. */
  readonly secrets: Set<string>
  /** Of the last request, to compare with the one that a gateway computed. */
  canonicalRequest?: string
}

/** For whom requests are signed, and how they are sent. */
export interface SigningTarget {
  readonly credentials: CredentialSource
  readonly region: string
  readonly signingName: string
  readonly fetch: Fetch | undefined
  readonly clock: ClockSkew
}

interface SendSignedOptions {
  /** Ends request and response; both fail with its reason. */
  readonly signal: AbortSignal
  readonly toError: ToError
}

/** Signs a request and sends it; once more where its token or its time was refused. */
export type SendSigned = (
  request: UnsignedRequest,
  call: SignedCall,
  options: SendSignedOptions,
) => Promise<ReceivedResponse>

/**
 * API Gateway's limit of a request's payload, in bytes.
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
 */
const MAX_EXECUTE_API_BODY = 10_485_760

/** Headers that are written anew: a forwarded length, for instance, would be that of another body. */
const NOT_SENT: ReadonlySet<string> = new Set(['connection', 'content-length', 'host', 'x-amz-security-token'])

/** Headers that say how a connection is used, which `fetch` refuses too. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

type Refuse = (problem: string, details?: { cause: unknown }) => ServiceRequestError

export function createSendSigned({ credentials, region, signingName, fetch, clock }: SigningTarget): SendSigned {
  const sign = createSign({ region, service: signingName })

  return async ({ method, url, headers, body: given, text, init }, call, { signal, toError }) => {
    const refuse: Refuse = (problem, details) => new ServiceRequestError(call, problem, details)
    const wire = toWireUrl(url)
    const own = collectHeaders(headers, wire, refuse)
    const body = given instanceof Request ? await readBody(given, signal, refuse) : given
    if (signingName === 'execute-api' && body !== undefined) checkSize(body, refuse)
    const payloadHash = signingName === 'vpc-lattice-svcs' ? 'UNSIGNED-PAYLOAD' : sha256Hex(body ?? '')

    const sendOnce = async (identity: AwsCredentialIdentity, signedAt: number) => {
      const signing = sign({ method, wire, headers: own, payloadHash }, identity, new Date(signedAt))
      const signed = signing instanceof Promise ? await signing : signing
      call.canonicalRequest = signed.canonicalRequest
      const { accessKeyId, secretAccessKey, sessionToken } = identity
      for (const secret of [signed.signature, accessKeyId, secretAccessKey, sessionToken]) {
        if (secret !== undefined) call.secrets.add(secret)
      }
      // A retry follows a response or a timer, by which the event loop has turned.
      if (call.attempts === 0) await ready({ fetch, init })
      signal.throwIfAborted()
      call.attempts += 1
      return send({ method, url: wire, headers: signed.headers, body, text }, { signal, toError, fetch, init })
    }

    const found = getIdentity(credentials, signal, refuse)
    const identity = found instanceof Promise ? await found : found
    const signedAt = clock.now(wire.origin)
    const response = await sendOnce(identity, signedAt)

    // The gateway's refusal means that nothing has run, so that any method may be sent again.
    const healable = readErrorType(response.headers) && (await readHealable(response))
    const renewed =
      healable === 'token' ? await unlessAborted(credentials.renew(identity), signal).catch(() => identity) : identity
    const isHealed =
      healable === 'token'
        ? !isSameIdentity(renewed, identity)
        : healable === 'time' && clock.learn(wire.origin, response.headers, signedAt)
    if (!isHealed) return response
    await response.body?.cancel()
    return sendOnce(renewed, clock.now(wire.origin))
  }
}

/** The caller's headers without what signing sets anew, in the form in which they are both sent and signed. */
function collectHeaders(given: Headers, url: WireUrl, refuse: Refuse): Record<string, string> {
  if (given.has('authorization')) throw refuse("the header 'authorization' is the signature's own")
  const host = given.get('host')
  if (host !== null && host !== url.host) {
    throw refuse(`the header 'host' cannot differ from the URL's ${url.host}; VPC endpoints take 'x-apigw-api-id'`)
  }
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of given) {
    if (NOT_SENT.has(name)) continue
    if (OF_CONNECTION.has(name)) throw refuse(`the header '${name}' is the connection's own`)
    if (isSigned(name) && !/^[\x20-\x7e]*$/.test(value)) {
      throw refuse(`the header '${name}' is signed and must be printable ASCII`)
    }
    headers[name] = isSigned(name) ? value.replace(/ {2,}/g, ' ') : value
  }
  return headers
}

function checkSize(body: string | Uint8Array, refuse: Refuse): void {
  const size = Buffer.byteLength(body)
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

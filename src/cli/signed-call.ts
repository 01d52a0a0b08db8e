import { Readable } from 'node:stream'
import { createClientMaker, createReporter, createRetryBudget, type ServiceClient } from '../client/index.ts'
import type { ServiceConfig } from '../config/index.ts'
import { type CredentialSource, createClockSkew, createSendSigned, type SendSigned } from '../signing/index.ts'
import { ReceivedResponse } from '../transport/index.ts'

/** One request that went out, with the second one that follows a refused token or clock. */
export interface Attempt {
  readonly method: string
  readonly url: string
  /** What was signed last; absent where nothing could be signed. */
  readonly canonicalRequest: string | undefined
  /** What was tried after a refusal. */
  readonly tried: readonly string[]
  /** Absent where there was no response. */
  readonly response: Response | undefined
  /** Milliseconds until the response's head. */
  readonly durationMs: number
  /** Milliseconds since the epoch, when the response's head or the failure came. */
  readonly endedAt: number
}

/** Calls one service by the client of the library, and sees what goes out. */
export interface Caller {
  readonly client: ServiceClient
  /** What must not be shown. */
  readonly secrets: ReadonlySet<string>
  readonly attempts: readonly Attempt[]
  /** Bytes of the last response that was not a success. */
  readonly failureBody: () => Uint8Array | undefined
}

export interface CallerOptions {
  readonly credentials: CredentialSource
  readonly now: () => number
  readonly onAttempt?: (attempt: Attempt) => void
}

export function createCaller(service: ServiceConfig, { credentials, now, onAttempt }: CallerOptions): Caller {
  const secrets = new Set<string>()
  const attempts: Attempt[] = []
  let failureBody: Uint8Array | undefined
  const send = createSendSigned({ ...service, credentials, clock: createClockSkew(now) })

  const sendSigned: SendSigned = async (request, call, options) => {
    const startedAt = performance.now()
    const record = (response?: Response) => {
      for (const secret of call.secrets) secrets.add(secret)
      const attempt: Attempt = {
        method: request.method,
        url: request.url.href,
        canonicalRequest: call.canonicalRequest,
        tried: [...call.tried],
        response,
        durationMs: performance.now() - startedAt,
        endedAt: now(),
      }
      attempts.push(attempt)
      onAttempt?.(attempt)
    }
    let response: ReceivedResponse
    try {
      response = await send(request, call, options)
    } catch (error) {
      record()
      throw error
    }
    record(response)
    if (response.ok) return response
    // The client keeps of a failed response only what it can parse.
    failureBody = await response.bytes()
    const { status, statusText, headers, url } = response
    const body = failureBody.length > 0 ? Readable.from([Buffer.from(failureBody)]) : null
    return new ReceivedResponse({ status, statusText, headers, url }, body, options)
  }

  const maker = createClientMaker(service, {
    sendSigned,
    // A call by hand is the only one of its process, so that no budget need bound its retries.
    retryBudget: createRetryBudget(Number.POSITIVE_INFINITY),
    breaker: undefined,
    report: createReporter(),
  })
  return { client: maker({ readTrace: () => undefined }), secrets, attempts, failureBody: () => failureBody }
}

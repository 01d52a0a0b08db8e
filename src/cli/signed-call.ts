import { Readable } from 'node:stream'
import { createClientMaker, createReporter, createRetryBudget, type ServiceClient } from '../client/index.ts'
import type { ServiceConfig } from '../config/index.ts'
import { type CredentialSource, createClockSkew, createSendSigned, type SendSigned } from '../signing/index.ts'
import { ReceivedResponse } from '../transport/index.ts'

/** An attempt of a call. The second request after a rejected token or time belongs to the same attempt. */
export interface SentRequest {
  readonly method: string
  readonly url: string
  /** The last canonical request. Undefined if signing failed. */
  readonly canonicalRequest: string | undefined
  /** What the client changed after a rejection. */
  readonly tried: readonly string[]
  /** Undefined without a response. */
  readonly response: Response | undefined
  /** Milliseconds until the response's head or the failure. */
  readonly durationMs: number
  /** Time of the response's head or of the failure, in milliseconds since the epoch. */
  readonly endedAt: number
}

/** The library's client of one service, with a record of its attempts. */
export interface ObservedClient {
  readonly client: ServiceClient
  /** Texts that must not be shown. */
  readonly secrets: ReadonlySet<string>
  readonly attempts: readonly SentRequest[]
  /** Body of the last attempt, if that has a response with an error status. */
  readonly failureBody: () => Uint8Array | undefined
}

export interface ObserveOptions {
  readonly credentials: CredentialSource
  readonly now: () => number
  readonly onRequest?: (attempt: SentRequest) => void
}

export function observeClient(service: ServiceConfig, { credentials, now, onRequest }: ObserveOptions): ObservedClient {
  const secrets = new Set<string>()
  const attempts: SentRequest[] = []
  let failureBody: Uint8Array | undefined
  const send = createSendSigned({ ...service, credentials, clock: createClockSkew(now) })

  const sendSigned: SendSigned = async (request, call, options) => {
    failureBody = undefined
    const startedAt = performance.now()
    const record = (response?: Response) => {
      for (const secret of call.secrets) secrets.add(secret)
      const attempt: SentRequest = {
        method: request.method,
        url: request.url.href,
        canonicalRequest: call.canonicalRequest,
        tried: [...call.tried],
        response,
        durationMs: performance.now() - startedAt,
        endedAt: now(),
      }
      attempts.push(attempt)
      onRequest?.(attempt)
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
    // The client parses and cuts the body of an error response. The command prints the whole body.
    failureBody = await response.bytes()
    const { status, statusText, headers, url } = response
    const body = Readable.from([Buffer.from(failureBody)])
    return new ReceivedResponse({ status, statusText, headers, url }, body, options)
  }

  const maker = createClientMaker(service, {
    sendSigned,
    // The process makes only one call, so its retries need no budget.
    retryBudget: createRetryBudget(Number.POSITIVE_INFINITY),
    breaker: undefined,
    report: createReporter(),
  })
  return { client: maker({ readTrace: () => undefined }), secrets, attempts, failureBody: () => failureBody }
}

import { randomUUID } from 'node:crypto'
import { type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http'
import { finished, Readable } from 'node:stream'
import { Reply } from './reply.ts'
import { isStreamBody, type StreamBody } from './stream-body.ts'

/** An answer as it goes out. */
export interface GatewayAnswer {
  readonly status: number
  readonly payload: string | Uint8Array | ReadableStream<Uint8Array>
  readonly headers: Readonly<Record<string, string>>
  /** REST APIs and HTTP APIs name a request's id differently. Default: a REST API's names. */
  readonly api?: 'http'
}

/** API Gateway's own limit of a request's payload, in bytes. */
export const MAX_BODY = 10_485_760

/**
 * An answer as bytes.
 * @param open Makes a stream of bytes of a body that comes in chunks.
 * @throws TypeError for one that cannot be sent
 */
export function encodeReply(
  { status, body, headers }: Reply,
  open: (body: StreamBody) => ReadableStream<Uint8Array> = refuseStream,
): GatewayAnswer {
  if (!isStatus(status)) throw new TypeError(`a status must be a whole number from 200 to 999, not ${String(status)}`)
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  }
  if (body === undefined) return { status, payload: '', headers }
  if (isStreamBody(body)) {
    return { status, payload: open(body), headers: { 'content-type': 'text/plain', ...headers } }
  }
  const isRaw = typeof body === 'string' || body instanceof ArrayBuffer || ArrayBuffer.isView(body)
  const payload = isRaw ? toPayload(body) : toJson(body)
  const ownHeaders = {
    'content-type': isRaw ? 'text/plain' : 'application/json',
    'content-length': String(Buffer.byteLength(payload)),
  }
  return { status, payload, headers: { ...ownHeaders, ...headers } }
}

function refuseStream(): never {
  throw new TypeError('a stream can be read only once: create it in a function of the route')
}

/** Whether a response to this method, with this status, may have a body. */
export function mayHaveBody(method: string, status: number): boolean {
  return method !== 'HEAD' && ![204, 205, 304].includes(status)
}

/** Informational statuses end no request. */
export function isStatus(status: unknown): status is number {
  return Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 999
}

function toPayload(body: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof body === 'string') return body
  return body instanceof ArrayBuffer
    ? new Uint8Array(body)
    : new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
}

/** Of data alone: a Response, an Error or a Map would go out as `{}` without a word. */
function toJson(body: unknown): string {
  const kind = Object.prototype.toString.call(body).slice(8, -1)
  if (!['Object', 'Array', 'Date', 'String', 'Number', 'Boolean', 'Null'].includes(kind)) {
    throw new TypeError(
      `a route cannot respond with ${kind}: use JSON data, text, bytes, a stream, or reply(status, body, headers)`,
    )
  }
  return JSON.stringify(body)
}

/** A refusal by the gateway itself. */
export function refusal(errorType: string, message: string, status = 403): GatewayAnswer {
  return encodeReply(new Reply(status, { message }, { 'x-amzn-ErrorType': errorType }))
}

/** An unsigned request, and a route that is none. */
export function missingToken(): GatewayAnswer {
  return refusal('MissingAuthenticationTokenException', 'Missing Authentication Token')
}

/** A payload over the limit; this one is plain text. */
export function tooLarge(): GatewayAnswer {
  return encodeReply(new Reply(413, `HTTP content length exceeded ${MAX_BODY} bytes.`, {}))
}

/** A failure behind the gateway, in API Gateway's own spelling: these bodies have a space after the colon. */
export function serverError(status: number, message = 'Internal server error'): GatewayAnswer {
  const headers = { 'content-type': 'application/json', 'x-amzn-ErrorType': 'InternalServerErrorException' }
  return encodeReply(new Reply(status, `{"message": ${JSON.stringify(message)}}`, headers))
}

/** Sends an answer, a stream chunk by chunk. A stream that fails breaks the connection. */
export function send(response: ServerResponse, answer: GatewayAnswer, now: number): void {
  const { status, payload } = answer
  writeHead(response, answer, now)
  if (!(payload instanceof ReadableStream)) {
    response.end(payload)
    return
  }
  const source = Readable.fromWeb(payload)
  source.once('error', () => response.destroy())
  // The client may have gone away already.
  finished(response, () => source.destroy())
  if (!mayHaveBody(response.req.method as string, status)) response.end()
  else {
    response.flushHeaders()
    source.pipe(response)
  }
}

/** Sends the head and the payload of an answer that promises more than that, then calls back. */
export function sendHalf(response: ServerResponse, answer: GatewayAnswer, now: number, sent: () => void): void {
  writeHead(response, answer, now)
  // A HEAD's payload is not written, and with it no head.
  response.flushHeaders()
  response.write(answer.payload, sent)
}

function writeHead(response: ServerResponse, answer: GatewayAnswer, now: number): void {
  // One by one, so that a header given in another case replaces its like.
  for (const [name, value] of headersOf(answer, now)) response.setHeader(name, value)
  response.writeHead(answer.status)
}

/** All headers of an answer, those of the gateway itself first. */
export function headersOf({ headers, api }: GatewayAnswer, now: number): [name: string, value: string][] {
  const ids =
    api === 'http'
      ? { 'apigw-requestid': shortId() }
      : { 'x-amzn-RequestId': randomUUID(), 'x-amz-apigw-id': shortId() }
  return Object.entries({ date: new Date(now).toUTCString(), ...ids, ...headers })
}

function shortId(): string {
  return randomUUID().replaceAll('-', '').slice(0, 15)
}

import { randomUUID } from 'node:crypto'
import { type ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http'
import { finished, Readable } from 'node:stream'
import { findKind } from '../signing/index.ts'
import { Reply } from './reply.ts'
import { isStreamBody, type StreamBody } from './stream-body.ts'

/** A response as it is sent. */
export interface GatewayResponse {
  readonly status: number
  readonly payload: string | Uint8Array | ReadableStream<Uint8Array>
  readonly headers: Readonly<Record<string, string>>
  /** REST APIs and HTTP APIs send the request id in different headers. Default: those of a REST API. */
  readonly api?: 'http'
}

/** API Gateway's limit of a request's body, in bytes. */
export const MAX_BODY = findKind('execute-api').maxBodySize as number

/**
 * Encodes a reply.
 * @param open Converts a streamed body to a stream of bytes.
 * @throws TypeError for a reply that cannot be sent
 */
export function encodeReply(
  { status, body, headers }: Reply,
  open: (body: StreamBody) => ReadableStream<Uint8Array> = rejectStream,
): GatewayResponse {
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

function rejectStream(): never {
  throw new TypeError('a stream can be read only once: create it in a function of the route')
}

/** Whether a response to this method, with this status, may have a body. */
export function mayHaveBody(method: string, status: number): boolean {
  return method !== 'HEAD' && ![204, 205, 304].includes(status)
}

/** Whether a value is a final status: statuses below 200 are informational. */
export function isStatus(status: unknown): status is number {
  return Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 999
}

function toPayload(body: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof body === 'string') return body
  return body instanceof ArrayBuffer
    ? new Uint8Array(body)
    : new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
}

/** Encodes plain data only: a Response, an Error or a Map would be sent as `{}` without an error. */
function toJson(body: unknown): string {
  const kind = Object.prototype.toString.call(body).slice(8, -1)
  if (!['Object', 'Array', 'Date', 'String', 'Number', 'Boolean', 'Null'].includes(kind)) {
    throw new TypeError(
      `a route cannot respond with ${kind}: use JSON data, text, bytes, a stream, or reply(status, body, headers)`,
    )
  }
  return JSON.stringify(body)
}

/** A rejection by the gateway itself. */
export function rejection(errorType: string, message: string, status = 403): GatewayResponse {
  return encodeReply(new Reply(status, { message }, { 'x-amzn-ErrorType': errorType }))
}

/** The response to an unsigned request, and to an unknown route. */
export function missingToken(): GatewayResponse {
  return rejection('MissingAuthenticationTokenException', 'Missing Authentication Token')
}

/** The response to a body over the limit. API Gateway sends it as plain text. */
export function tooLarge(): GatewayResponse {
  return encodeReply(new Reply(413, `HTTP content length exceeded ${MAX_BODY} bytes.`, {}))
}

/** A failure behind the gateway. API Gateway writes these bodies with a space after the colon. */
export function serverError(status: number, message = 'Internal server error'): GatewayResponse {
  const headers = { 'content-type': 'application/json', 'x-amzn-ErrorType': 'InternalServerErrorException' }
  return encodeReply(new Reply(status, `{"message": ${JSON.stringify(message)}}`, headers))
}

/** Sends a response, a stream chunk by chunk. If the stream fails, the connection breaks. */
export function send(response: ServerResponse, answer: GatewayResponse, now: number): void {
  const { status, payload } = answer
  writeHead(response, answer, now)
  if (!(payload instanceof ReadableStream)) {
    response.end(payload)
    return
  }
  const source = Readable.fromWeb(payload)
  source.once('error', () => response.destroy())
  // The client may already have disconnected.
  finished(response, () => source.destroy())
  if (!mayHaveBody(response.req.method as string, status)) response.end()
  else {
    response.flushHeaders()
    source.pipe(response)
  }
}

/** Sends the head and half of the body, then calls `sent`. */
export function sendHalf(response: ServerResponse, answer: GatewayResponse, now: number, sent: () => void): void {
  writeHead(response, answer, now)
  // Needed for HEAD: without a body, `write` does not send the head.
  response.flushHeaders()
  response.write(answer.payload, sent)
}

function writeHead(response: ServerResponse, answer: GatewayResponse, now: number): void {
  // One by one, so that a header replaces an earlier one in another case.
  for (const [name, value] of headersOf(answer, now)) response.setHeader(name, value)
  response.writeHead(answer.status)
}

/** All headers of a response. Those of the gateway come first. */
export function headersOf({ headers, api }: GatewayResponse, now: number): [name: string, value: string][] {
  const ids =
    api === 'http'
      ? { 'apigw-requestid': shortId() }
      : { 'x-amzn-RequestId': randomUUID(), 'x-amz-apigw-id': shortId() }
  return Object.entries({ date: new Date(now).toUTCString(), ...ids, ...headers })
}

function shortId(): string {
  return randomUUID().replaceAll('-', '').slice(0, 15)
}

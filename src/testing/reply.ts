/** A response with a status. Create it with `reply`. */
export class Reply {
  /** HTTP status, from 200 to 999. */
  readonly status: number
  /** Sent as JSON. Text, bytes and streams are sent as they are. Undefined: no body. */
  readonly body: unknown
  /** Additional headers. They may replace `content-type` and `content-length`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>>) {
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/**
 * Creates a response with `status`. The body is sent as JSON. Text, bytes and streams are sent as they are.
 *
 * A stream is a web `ReadableStream` or an async iterable, of strings or bytes. It is sent chunk by chunk, without a
 * `content-length`. A stream can be read only once, so create it in the function of the route. If the stream throws,
 * the connection breaks, as with the fault `half-answer`.
 *
 * @param status HTTP status, from 200 to 999. With another status, or with a body that cannot be sent, the request
 * fails.
 * @param body None by default.
 * @param headers Additional headers, which may replace `content-type` and `content-length`. None by default.
 */
export function reply(status: number, body?: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return new Reply(status, body, headers)
}

/** A response with a status of its own; made with `reply`. */
export class Reply {
  /** HTTP status, from 200 to 999. */
  readonly status: number
  /** JSON, unless it is text, bytes or a stream; undefined for none. */
  readonly body: unknown
  /** Sent beside `content-type` and `content-length`, or in their place. */
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>>) {
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/**
 * Responds with `status`. A body that is not text, bytes or a stream is sent as JSON.
 *
 * A stream is a web `ReadableStream` or an async iterable, of strings or bytes. It is sent chunk by chunk, without a
 * `content-length`. It is read once, so a route that is called more than once makes it in a function. A stream that throws
 * breaks the connection, as the fault `half-answer` does.
 *
 * @param status HTTP status, from 200 to 999. Any other status fails the request, as does a body that cannot be sent.
 * @param body None by default.
 * @param headers Sent beside `content-type` and `content-length`, or in their place; none by default.
 */
export function reply(status: number, body?: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return new Reply(status, body, headers)
}

/** A response with a status of its own; made with `reply`. */
export class Reply {
  /** HTTP status, from 200 to 999. */
  readonly status: number
  /** JSON, unless it is text or bytes; undefined for none. */
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
 * Responds with `status`. A body that is not text or bytes is sent as JSON.
 *
 * @param status HTTP status, from 200 to 999. Any other status fails the request, as does a body that cannot be sent.
 * @param body None by default.
 * @param headers Sent beside `content-type` and `content-length`, or in their place; none by default.
 */
export function reply(status: number, body?: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return new Reply(status, body, headers)
}

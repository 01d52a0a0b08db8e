/** A body in chunks of text or bytes. */
export type StreamBody = ReadableStream<unknown> | AsyncIterable<unknown>

export function isStreamBody(body: unknown): body is StreamBody {
  return isWebStream(body) || typeof Object(body)[Symbol.asyncIterator] === 'function'
}

/** Checks the methods, not the class: in Jest, a stream may be an instance of another realm's class. */
function isWebStream(body: unknown): body is ReadableStream<unknown> {
  return typeof Object(body).getReader === 'function'
}

/**
 * Converts a body to a stream of bytes. It is read only on demand. Cancelling cancels a `ReadableStream` at once, and
 * ends an iterable after its next chunk.
 * @param toError Converts an error of the body to the error that the reader gets.
 * @throws TypeError for a stream that already has a reader
 */
export function toByteStream(body: StreamBody, toError: (error: unknown) => unknown): ReadableStream<Uint8Array> {
  const reader = (isWebStream(body) ? body : ReadableStream.from(body)).getReader()
  const end = (reason?: unknown) => reader.cancel(reason).catch(() => {})
  let isCancelled = false
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (isCancelled) return
          if (done) controller.close()
          else controller.enqueue(toBytes(value))
        } catch (error) {
          end(error)
          controller.error(toError(error))
        }
      },
      cancel(reason) {
        isCancelled = true
        return end(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  throw new TypeError(`a chunk of a stream must be text or bytes, not ${typeof chunk}`)
}

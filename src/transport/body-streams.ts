import { PassThrough, pipeline, type Readable } from 'node:stream'

/** The longest time between two chunks of a body. */
export interface IdleLimit {
  readonly ms: number
  /** Called when the time has passed. */
  readonly expire: () => void
}

/** Calls `expire` when a stream sends no data for `ms` milliseconds. Time while the reader pauses it does not count. */
export function limitIdle(source: Readable, { ms, expire }: IdleLimit): Readable {
  const timer = setTimeout(() => {
    if (source.isPaused()) timer.refresh()
    else expire()
  }, ms).unref()
  const watched = new PassThrough()
  source.on('data', () => timer.refresh())
  return pipeline(source, watched, () => clearTimeout(timer))
}

/** Yields the chunks that were already read, then the rest of the stream. */
export async function* continueFrom(
  head: readonly Buffer[],
  next: Promise<IteratorResult<Buffer>> | undefined,
  chunks: AsyncIterator<Buffer>,
): AsyncGenerator<Buffer> {
  try {
    yield* head
    for (let result = await (next ?? chunks.next()); !result.done; result = await chunks.next()) yield result.value
  } finally {
    await chunks.return?.()
  }
}

export async function* cut(source: Readable, maxBytes: number, mark: string): AsyncGenerator<Buffer> {
  let left = maxBytes
  for await (const chunk of source as AsyncIterable<Buffer>) {
    if (chunk.length > left) {
      yield chunk.subarray(0, left)
      yield Buffer.from(mark)
      return
    }
    left -= chunk.length
    yield chunk
  }
}

import { createReadStream } from 'node:fs'
import { messageOf } from '../errors/index.ts'
import { UsageError } from './usage-error.ts'

/**
 * Reads the bytes of a body: a text, `@file`, or `-` for standard input. Stops at `maxBytes`, because the client refuses
 * larger bodies.
 * @throws UsageError for a file that cannot be read, Error for more than `maxBytes`
 */
export async function readData(
  data: string,
  stdin: AsyncIterable<Uint8Array>,
  maxBytes: number = Number.POSITIVE_INFINITY,
): Promise<Uint8Array<ArrayBuffer>> {
  if (data === '-') return collect(stdin, 'standard input', maxBytes)
  if (!data.startsWith('@')) return new TextEncoder().encode(data)
  const file = data.slice(1)
  const stream = createReadStream(file)
  try {
    await new Promise((resolve, reject) => stream.once('open', resolve).once('error', reject))
    return await collect(stream, file, maxBytes)
  } catch (error) {
    throw error instanceof TooLargeError ? error : new UsageError(`-d: ${messageOf(error)}`)
  }
}

class TooLargeError extends Error {}

async function collect(
  source: AsyncIterable<Uint8Array>,
  name: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of source) {
    size += chunk.length
    if (size > maxBytes) throw new TooLargeError(`-d: ${name} exceeds the ${maxBytes} bytes that API Gateway accepts`)
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

/** Content type of a body if the command line sets none. */
export function contentTypeOf(bytes: Uint8Array): string {
  try {
    JSON.parse(Buffer.from(bytes).toString())
    return 'application/json'
  } catch {
    return 'application/octet-stream'
  }
}

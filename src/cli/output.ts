import { open } from 'node:fs/promises'
import { messageOf, redactText } from '../errors/index.ts'
import type { OutputStream } from './context.ts'
import { indentJson } from './indent-json.ts'
import { createByteRedactor } from './redact-bytes.ts'
import { UsageError } from './usage-error.ts'

/** Destination of a body. `write` resolves when more bytes may be written. */
export interface Sink {
  readonly write: (bytes: Uint8Array) => Promise<void>
  readonly close: () => Promise<void>
}

/** The reader of standard output closed it, as `head` does. */
export class ClosedPipeError extends Error {}

/** Longest JSON that is indented, in bytes. */
const MAX_INDENTED = 10_485_760

const NEW_LINE = 10

export function openStream(stream: OutputStream): Sink {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        const done = (error?: (Error & { code?: string }) | null) => {
          if (!error) resolve()
          else reject(isClosedPipe(error) ? new ClosedPipeError(error.message) : error)
        }
        stream.write(bytes, done)
      }),
    close: async () => {},
  }
}

function isClosedPipe({ code }: { code?: string }): boolean {
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED'
}

/**
 * Opens a file before anything is sent: if that fails, nothing is sent. The file keeps its content until the first
 * write.
 * @throws UsageError for a file that cannot be written
 */
export async function openFile(file: string): Promise<Sink> {
  try {
    const handle = await open(file, 'a')
    let isEmpty = (await handle.stat()).size === 0
    return {
      async write(bytes) {
        if (!isEmpty) await handle.truncate()
        isEmpty = true
        await handle.writeFile(bytes)
      },
      close: () => handle.close(),
    }
  } catch (error) {
    throw new UsageError(`-o: ${messageOf(error)}`)
  }
}

/** A body to write. */
export interface Body {
  readonly chunks: AsyncIterable<Uint8Array>
  readonly contentType: string | null
}

/** Writes a body chunk by chunk. JSON for a terminal is collected and indented. */
export async function writeBody(
  { chunks, contentType }: Body,
  sink: Sink,
  { isTerminal, secrets }: { readonly isTerminal: boolean; readonly secrets: ReadonlySet<string> },
): Promise<void> {
  const redactor = createByteRedactor(secrets)
  let isLineOpen = false
  const write = async (bytes: Uint8Array) => {
    if (bytes.length === 0) return
    isLineOpen = bytes.at(-1) !== NEW_LINE
    await sink.write(bytes)
  }
  let collected: Uint8Array[] | undefined = isTerminal && isJson(contentType) ? [] : undefined
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    collected?.push(chunk)
    if (collected === undefined) {
      await write(redactor.push(chunk))
    } else if (size > MAX_INDENTED) {
      await write(redactor.push(Buffer.concat(collected)))
      collected = undefined
    }
  }
  const text = Buffer.concat(collected ?? []).toString()
  await write(collected === undefined ? redactor.end() : Buffer.from(redactText(indentJson(text) ?? text, secrets)))
  // The next output on a terminal, such as the shell's prompt, starts on a new line.
  if (isTerminal && isLineOpen && isText(contentType)) await write(Buffer.from([NEW_LINE]))
}

function isText(contentType: string | null): boolean {
  return /^text\//i.test(contentType ?? '') || isJson(contentType)
}

/** Also `application/problem+json`, but not streams of JSON texts. */
function isJson(contentType: string | null): boolean {
  return /^[^;]*[/+]json\s*(;|$)/i.test(contentType ?? '')
}

/** A stream of one chunk. */
export async function* toChunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

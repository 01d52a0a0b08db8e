import { open } from 'node:fs/promises'
import { messageOf, redactText } from '../errors/index.ts'
import { type OutputStream, UsageError } from './context.ts'
import { indentJson } from './indent-json.ts'
import { createByteRedactor } from './redact-bytes.ts'

/** Takes a body's bytes; resolves when more may come. */
export interface Sink {
  readonly write: (bytes: Uint8Array) => Promise<void>
  readonly close: () => Promise<void>
}

/** Whoever read standard output has seen enough, as `head` does. */
export class ClosedPipeError extends Error {}

/** Longest JSON that is indented; more than a terminal's reader can take in. */
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
 * Opens a file before anything is sent, so that a request is not made in vain. Its old content stays until there is new one.
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

/** A body as it goes to its sink. */
export interface Body {
  readonly chunks: AsyncIterable<Uint8Array>
  readonly contentType: string | null
}

/** Writes a body as it comes; JSON for a terminal is collected and indented. */
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
  // What follows on a terminal, the shell's prompt among it, has a line of its own.
  if (isTerminal && isLineOpen && isText(contentType)) await write(Buffer.from([NEW_LINE]))
}

function isText(contentType: string | null): boolean {
  return /^text\//i.test(contentType ?? '') || isJson(contentType)
}

/** `application/problem+json` too, but not streams of JSON texts. */
function isJson(contentType: string | null): boolean {
  return /^[^;]*[/+]json\s*(;|$)/i.test(contentType ?? '')
}

/** One chunk, as a stream. */
export async function* toChunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

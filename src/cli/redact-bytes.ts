import { MIN_SECRET_LENGTH, REDACTION_MARK } from '../errors/index.ts'

/** Removes secrets from a stream of bytes, also secrets that span chunks. */
export interface ByteRedactor {
  readonly push: (chunk: Uint8Array) => Uint8Array
  /** Returns the bytes that were held back. */
  readonly end: () => Uint8Array
}

const MARK = Buffer.from(REDACTION_MARK)

/** Holds back only bytes at the end of a chunk that may start a secret, so that event streams are not delayed. */
export function createByteRedactor(secrets: ReadonlySet<string>): ByteRedactor {
  const needles = [...secrets].filter(({ length }) => length >= MIN_SECRET_LENGTH).map((secret) => Buffer.from(secret))
  let held: Uint8Array = Buffer.alloc(0)
  return {
    push(chunk) {
      const redacted = replaceAll(Buffer.concat([held, chunk]), needles)
      const end = redacted.length - countHeld(redacted, needles)
      held = redacted.subarray(end)
      return redacted.subarray(0, end)
    },
    end: () => held,
  }
}

function replaceAll(bytes: Buffer, needles: readonly Buffer[]): Buffer {
  return needles.reduce((rest, needle) => {
    const parts: Buffer[] = []
    let from = 0
    for (let at = rest.indexOf(needle); at !== -1; at = rest.indexOf(needle, from)) {
      parts.push(rest.subarray(from, at), MARK)
      from = at + needle.length
    }
    return from === 0 ? rest : Buffer.concat([...parts, rest.subarray(from)])
  }, bytes)
}

/** Counts the bytes at the end that may start a secret. */
function countHeld(bytes: Buffer, needles: readonly Buffer[]): number {
  let most = 0
  for (const needle of needles) {
    for (let length = Math.min(needle.length - 1, bytes.length); length > most; length -= 1) {
      if (needle.subarray(0, length).equals(bytes.subarray(bytes.length - length))) most = length
    }
  }
  return most
}

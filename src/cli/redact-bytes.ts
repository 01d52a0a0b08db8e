/** Takes secrets out of a stream of bytes, wherever its chunks end. */
export interface ByteRedactor {
  readonly push: (chunk: Uint8Array) => Uint8Array
  /** What was held back. */
  readonly end: () => Uint8Array
}

const MARK = Buffer.from('[redacted]')

/** As in messages: a shorter text is no secret. */
const MIN_LENGTH = 8

/** Holds back only those bytes at a chunk's end that a secret starts with, so that streams of events are not delayed. */
export function createByteRedactor(secrets: ReadonlySet<string>): ByteRedactor {
  const needles = [...secrets].filter(({ length }) => length >= MIN_LENGTH).map((secret) => Buffer.from(secret))
  let held: Uint8Array = Buffer.alloc(0)
  return {
    push(chunk) {
      const redacted = replaceAll(held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk]), needles)
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

/** How many bytes at the end may be the start of a secret. */
function countHeld(bytes: Buffer, needles: readonly Buffer[]): number {
  let most = 0
  for (const needle of needles) {
    for (let length = Math.min(needle.length - 1, bytes.length); length > most; length -= 1) {
      if (needle.subarray(0, length).equals(bytes.subarray(bytes.length - length))) most = length
    }
  }
  return most
}

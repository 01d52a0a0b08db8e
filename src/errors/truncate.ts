/** Limit of an error's body in bytes, and of a text in characters. A gateway's error body has a few kilobytes. */
export const MAX_ERROR_BODY = 65_536

/** Replaces the rest of a truncated body. */
export const TRUNCATION_MARK: string = `... [cut after ${MAX_ERROR_BODY} bytes]`

/** Length of the longest escape of one character, such as `\u002f` and `&#x2f;`. */
const LONGEST_SPELLING = 6

/** Truncates a long text, and drops the word at its end: redaction would not recognise half a secret. */
export function truncateText(text: string, secrets: ReadonlySet<string>): string {
  const isLong = text.length > MAX_ERROR_BODY + TRUNCATION_MARK.length
  if (!isLong && !text.endsWith(TRUNCATION_MARK)) return text
  const kept = isLong ? text.slice(0, MAX_ERROR_BODY) : text.slice(0, -TRUNCATION_MARK.length)
  const longest = Math.max(0, ...[...secrets].map(({ length }) => length)) * LONGEST_SPELLING
  let end = kept.length
  while (end > 0 && kept.length - end < longest && !/[\s"'<>]/.test(kept[end - 1] as string)) end -= 1
  return kept.slice(0, end) + TRUNCATION_MARK
}

/** Bytes that are read of an error's body, and characters that are kept of a text. A gateway's own is a few kilobytes. */
export const MAX_ERROR_BODY = 65_536

/** In place of the rest of a body. */
export const CUT_MARK: string = `... [cut after ${MAX_ERROR_BODY} bytes]`

/** Characters of the longest spelling of one, as in `\u002f` and `&#x2f;`. */
const LONGEST_SPELLING = 6

/** A text of bounded length, and without the word that was cut with it: that may be half a secret, which nothing finds. */
export function cutText(text: string, secrets: ReadonlySet<string>): string {
  const isLong = text.length > MAX_ERROR_BODY + CUT_MARK.length
  if (!isLong && !text.endsWith(CUT_MARK)) return text
  const kept = isLong ? text.slice(0, MAX_ERROR_BODY) : text.slice(0, -CUT_MARK.length)
  const longest = Math.max(0, ...[...secrets].map(({ length }) => length)) * LONGEST_SPELLING
  let end = kept.length
  while (end > 0 && kept.length - end < longest && !/[\s"'<>]/.test(kept[end - 1] as string)) end -= 1
  return kept.slice(0, end) + CUT_MARK
}

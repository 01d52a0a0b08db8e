/** Limit of an error's body in bytes, and of a text in characters. A gateway's error body has a few kilobytes. */
export const MAX_ERROR_BODY = 65_536

/** Replaces the rest of a cut body. */
export const CUT_MARK: string = `... [cut after ${MAX_ERROR_BODY} bytes]`

/** Length of the longest escape of one character, such as `\u002f` and `&#x2f;`. */
const LONGEST_SPELLING = 6

/** Cuts a long text, and drops the word at the cut: redaction would not recognise half a secret. */
export function cutText(text: string, secrets: ReadonlySet<string>): string {
  const isLong = text.length > MAX_ERROR_BODY + CUT_MARK.length
  if (!isLong && !text.endsWith(CUT_MARK)) return text
  const kept = isLong ? text.slice(0, MAX_ERROR_BODY) : text.slice(0, -CUT_MARK.length)
  const longest = Math.max(0, ...[...secrets].map(({ length }) => length)) * LONGEST_SPELLING
  let end = kept.length
  while (end > 0 && kept.length - end < longest && !/[\s"'<>]/.test(kept[end - 1] as string)) end -= 1
  return kept.slice(0, end) + CUT_MARK
}

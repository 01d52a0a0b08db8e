/** Strings, punctuation, and literals such as numbers. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g

/**
 * Indents JSON without changing its values: a parser would round long numbers. Returns undefined for a text that is not
 * JSON.
 */
export function indentJson(text: string): string | undefined {
  try {
    JSON.parse(text)
    return indent(text)
  } catch {
    return undefined
  }
}

function indent(text: string): string {
  let result = ''
  let depth = 0
  let last = ''
  const newLine = () => `\n${'  '.repeat(depth)}`
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '}' || token === ']') {
      depth -= 1
      result += /^[{[]/.test(last) ? token : newLine() + token
    } else {
      if (/^[{[,]/.test(last)) result += newLine()
      result += token === ':' ? ': ' : token
      if (token === '{' || token === '[') depth += 1
    }
    last = token
  }
  return `${result}\n`
}

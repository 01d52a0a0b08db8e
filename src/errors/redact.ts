// Importing `node:util` loads all that it exports: 7 ms of a cold start.
const { inspect } = process.getBuiltinModule('node:util')

const MARK = '[redacted]'

/** Deeper than any answer that means something; what is further down is left out. */
const MAX_DEPTH = 100

/** Real ones are longer; taking a shorter one out would only garble what is shown. */
const MIN_LENGTH = 8

/** A text without the secrets, however JSON or a URL spells them. */
export function redactText(text: string, secrets: ReadonlySet<string>): string {
  let redacted = text
  for (const secret of secrets) {
    if (secret.length < MIN_LENGTH) continue
    for (const spelling of [secret, secret.replaceAll('/', '\\/'), encodeURIComponent(secret)]) {
      redacted = redacted.replaceAll(spelling, MARK)
    }
  }
  return redacted
}

/** A copy of parsed JSON without the secrets in its texts. */
export function redactData(value: unknown, secrets: ReadonlySet<string>, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value, secrets)
  if (typeof value !== 'object' || value === null) return value
  if (depth === MAX_DEPTH) return '[too deep]'
  if (Array.isArray(value)) return value.map((item) => redactData(item, secrets, depth + 1))
  // A caller's own parser may give anything; what it made is not taken apart.
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [redactText(key, secrets), redactData(item, secrets, depth + 1)]),
  )
}

/** The headers themselves, or a copy where one of them echoes a secret. */
export function redactHeaders(headers: Headers, secrets: ReadonlySet<string>): Headers {
  const redacted = [...headers].map(([name, value]): [string, string] => [name, redactText(value, secrets)])
  return String(redacted) === String([...headers]) ? headers : new Headers(redacted)
}

/** The cause itself, or what can be said of it where it holds a secret. */
export function redactCause(cause: unknown, secrets: ReadonlySet<string>): unknown {
  const shown = inspect(cause, { depth: 8 })
  if (redactText(shown, secrets) === shown) return cause
  const { name, message, code } = Object(cause) as { name?: unknown; message?: unknown; code?: unknown }
  const error = new Error(redactText(String(message ?? cause), secrets))
  return Object.assign(error, typeof name === 'string' && { name }, typeof code === 'string' && { code })
}

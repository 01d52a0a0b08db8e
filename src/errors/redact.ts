import { MAX_ERRORS, messageOf, readThrown } from './thrown.ts'

export const REDACTION_MARK = '[redacted]'

/** Real secrets are longer. Redacting shorter texts would only garble messages. */
export const MIN_SECRET_LENGTH = 8

/** Depth of data in an error. Deeper data is left out. */
const MAX_DEPTH = 100

/** Values of data in an error. JSON of bounded size has fewer. A caller's own parser may return endless data. */
const MAX_VALUES = 65_536

/** Nested encodings of a text that redaction undoes. */
const MAX_ENCODINGS = 4

/** Depth of nested errors in a cause. */
const MAX_NESTING = 10

/** Removes the secrets from a text, also where they are encoded for JSON, a URL, HTML or as base64. */
export function redactText(text: string, secrets: ReadonlySet<string>): string {
  return createRedact(secrets)(text)
}

type Redact = (text: string) => string

/** Computes the encodings of the secrets once, for data with many texts. */
function createRedact(secrets: ReadonlySet<string>): Redact {
  const found = [...secrets].filter(({ length }) => length >= MIN_SECRET_LENGTH)
  const needles = found.flatMap((secret) => [secret, ...base64Of(secret)])
  return (text) => {
    if (text.length < MIN_SECRET_LENGTH) return text
    const redacted = needles.reduce((rest, needle) => rest.replaceAll(needle, REDACTION_MARK), text)
    const decoded = decode(redacted)
    if (decoded === redacted) return redacted
    const once = needles
      .filter((needle) => decoded.includes(needle))
      .reduce((rest, needle) => rest.replace(spellingsOf(needle), REDACTION_MARK), redacted)
    let layer = once
    for (let depth = 0; depth < MAX_ENCODINGS; depth += 1) {
      layer = decode(layer)
      // The secret is encoded more than once, so its place in the text is unknown.
      if (needles.some((needle) => layer.includes(needle))) return REDACTION_MARK
    }
    return once
  }
}

/** An error's message as one line that a log can show. */
export function redactMessage(message: string, secrets: ReadonlySet<string>): string {
  return withoutControls(redactText(withoutHeaderValue(message), secrets))
}

/** Removes line breaks and other control characters, which could forge log lines. */
export function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the function removes them
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
}

/** Copies parsed JSON without the secrets in its keys and texts. */
export function redactData(data: unknown, secrets: ReadonlySet<string>): unknown {
  const redact = createRedact(secrets)
  let copied = 0
  const copy = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return redact(value)
    if (typeof value !== 'object' || value === null) return value
    copied += 1
    if (depth === MAX_DEPTH || copied > MAX_VALUES) return '[too deep]'
    if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1))
    // A caller's own parser may return class instances, which are not copied.
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [redact(key), copy(item, depth + 1)]))
  }
  return copy(data, 0)
}

/** The same headers, or a redacted copy where one of them repeats a secret. */
export function redactHeaders(headers: Headers, secrets: ReadonlySet<string>): Headers {
  const redacted = [...headers].map(([name, value]): [string, string] => [name, redactText(value, secrets)])
  return String(redacted) === String([...headers]) ? headers : new Headers(redacted)
}

/**
 * Copies an error of other code: message, name, code and nested errors. Other members are dropped, because they may
 * hold anything, such as the raw bytes of a response.
 */
export function redactCause(cause: unknown, secrets: ReadonlySet<string>): unknown {
  const redact = createRedact(secrets)
  let copied = 0
  const copyList = (errors: readonly unknown[], depth: number) => errors.map((one) => copy(one, depth))
  const copy = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return redact(value)
    if (typeof value === 'symbol' || typeof value === 'function') return redact(messageOf(value))
    if (typeof value !== 'object' || value === null) return value
    copied += 1
    if (depth === MAX_NESTING || copied > MAX_ERRORS) return undefined
    const { name, message, stack, code, syscall, cause: inner, errors } = readThrown(value)
    const error = new Error(typeof message === 'string' ? redact(withoutHeaderValue(message)) : '')
    error.stack = typeof stack === 'string' ? redact(withoutHeaderValue(stack)) : ''
    if (typeof name === 'string') define(error, 'name', redact(name), false)
    if (typeof code === 'string') define(error, 'code', redact(code))
    if (typeof code === 'number') define(error, 'code', code)
    if (typeof syscall === 'string') define(error, 'syscall', redact(syscall))
    if (inner !== undefined) define(error, 'cause', copy(inner, depth + 1), false)
    if (errors !== undefined) define(error, 'errors', copyList(errors, depth + 1), false)
    return error
  }
  return copy(cause, 0)
}

function define(error: Error, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable })
}

/** Removes the invalid header value that `Headers` quotes in its error message, because it may be a secret. */
function withoutHeaderValue(message: string): string {
  return message.replace(/^(|\w+: )(Headers\.\w+: )[\s\S]*?( is an invalid header )/, '$1$2the given text$3')
}

/** Undoes percent-encoding, the escapes of JSON and JavaScript, and HTML's character references. */
function decode(text: string): string {
  const character = (digits: string, radix: number) => {
    const code = Number.parseInt(digits, radix)
    return code <= 0x10ffff ? String.fromCodePoint(code) : ''
  }
  return text
    .replace(/%([\da-f]{2})/gi, (_, hex: string) => character(hex, 16))
    .replace(/\\(?:u([\da-f]{4})|x([\da-f]{2})|(["'\\/]))/gi, (_, long?: string, short?: string, itself?: string) =>
      itself === undefined ? character((long ?? short) as string, 16) : itself,
    )
    .replace(/&#(?:x([\da-f]+)|(\d+));/gi, (_, hex?: string, decimal?: string) =>
      hex === undefined ? character(decimal as string, 10) : character(hex, 16),
    )
    .replace(/&(amp|lt|gt|quot|apos|sol|equals|plus);/gi, (_, name: string) => ENTITIES[name.toLowerCase()] as string)
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  sol: '/',
  equals: '=',
  plus: '+',
}

/** Matches every spelling of a secret. Each character may be escaped in its own way. */
function spellingsOf(secret: string): RegExp {
  const names = Object.entries(ENTITIES)
  const characters = [...secret].map((character) => {
    const code = character.charCodeAt(0)
    const hex = code.toString(16)
    const named = names.filter(([, value]) => value === character).map(([name]) => `&${name};`)
    const spellings = [`%${hex}`, `\\\\u00${hex}`, `\\\\x${hex}`, `&#x0*${hex};`, `&#0*${code};`, ...named]
    // The secret itself is case-sensitive. Only its escapes may have any case.
    return `(?:${/\w/.test(character) ? character : `\\\\?\\x${hex}`}|${spellings.map(ignoreCase).join('|')})`
  })
  return new RegExp(characters.join(''), 'g')
}

function ignoreCase(pattern: string): string {
  return pattern.replace(/(?<!\\)[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)
}

/** The base64 forms of a secret at each of the three possible offsets, in both alphabets. */
function base64Of(secret: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.from('\0'.repeat(offset) + secret).toString('base64')
    // The characters at both ends also encode the text around the secret.
    const start = offset === 0 ? 0 : offset + 1
    const inner = encoded.replace(/=*$/, '').slice(start, -1)
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

import { MAX_ERRORS, messageOf, readThrown } from './thrown.ts'

const MARK = '[redacted]'

/** Real secrets are longer; taking out a shorter text would only garble what is shown. */
const MIN_LENGTH = 8

/** Deeper data means nothing to anybody; it is left out. */
const MAX_DEPTH = 100

/** JSON within its bound has fewer values; what a caller's own parser makes may be endless. */
const MAX_VALUES = 65_536

/** How often a text may be encoded, one way in another. */
const MAX_ENCODINGS = 4

/** How deep errors may be nested in a cause. */
const MAX_NESTING = 10

/** A text without the secrets, in whatever spelling: JSON, URL, HTML and base64 have their own. */
export function redactText(text: string, secrets: ReadonlySet<string>): string {
  return createRedact(secrets)(text)
}

type Redact = (text: string) => string

/** Finds the spellings once, for data with many texts. */
function createRedact(secrets: ReadonlySet<string>): Redact {
  const found = [...secrets].filter(({ length }) => length >= MIN_LENGTH)
  const needles = found.flatMap((secret) => [secret, ...base64Of(secret)])
  return (text) => {
    if (text.length < MIN_LENGTH) return text
    const redacted = needles.reduce((rest, needle) => rest.replaceAll(needle, MARK), text)
    const decoded = decode(redacted)
    if (decoded === redacted) return redacted
    const once = needles
      .filter((needle) => decoded.includes(needle))
      .reduce((rest, needle) => rest.replace(spellingsOf(needle), MARK), redacted)
    let layer = once
    for (let depth = 0; depth < MAX_ENCODINGS; depth += 1) {
      layer = decode(layer)
      // Encoded more than once: nothing of it can be kept.
      if (needles.some((needle) => layer.includes(needle))) return MARK
    }
    return once
  }
}

/** What somebody threw, in words that can be shown on one line of a log. */
export function redactMessage(message: string, secrets: ReadonlySet<string>): string {
  return withoutControls(redactText(withoutHeaderValue(message), secrets))
}

/** A text without line breaks and other control characters, which could forge lines of a log. */
export function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must go
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
}

/** A copy of parsed JSON without the secrets in its texts. */
export function redactData(data: unknown, secrets: ReadonlySet<string>): unknown {
  const redact = createRedact(secrets)
  let copied = 0
  const copy = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return redact(value)
    if (typeof value !== 'object' || value === null) return value
    copied += 1
    if (depth === MAX_DEPTH || copied > MAX_VALUES) return '[too deep]'
    if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1))
    // A caller's own parser may give anything; what it made is not taken apart.
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [redact(key), copy(item, depth + 1)]))
  }
  return copy(data, 0)
}

/** The headers themselves, or a copy where one of them echoes a secret. */
export function redactHeaders(headers: Headers, secrets: ReadonlySet<string>): Headers {
  const redacted = [...headers].map(([name, value]): [string, string] => [name, redactText(value, secrets)])
  return String(redacted) === String([...headers]) ? headers : new Headers(redacted)
}

/**
 * A copy of what was thrown elsewhere: message, name, code and nested errors. Other members may hold anything, such as the
 * raw bytes of a response, and some are hidden.
 */
export function redactCause(cause: unknown, secrets: ReadonlySet<string>): unknown {
  const redact = createRedact(secrets)
  let copied = 0
  const copyList = (errors: readonly unknown[], depth: number) => {
    const list: unknown[] = []
    for (const one of errors) list.push(copy(one, depth))
    return list
  }
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

/** A message without the header value that it quotes because no header can hold it: that may be a secret. */
function withoutHeaderValue(message: string): string {
  return message.replace(/^(|\w+: )(Headers\.\w+: )[\s\S]*?( is an invalid header )/, '$1$2the given text$3')
}

/** A text whose escapes are undone: percent-encoding, those of JSON and JavaScript, and HTML's character references. */
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

/** Every spelling of a text in which each character may be escaped in its own way. */
function spellingsOf(secret: string): RegExp {
  const names = Object.entries(ENTITIES)
  const characters = [...secret].map((character) => {
    const code = character.charCodeAt(0)
    const hex = code.toString(16)
    const named = names.filter(([, value]) => value === character).map(([name]) => `&${name};`)
    const spellings = [`%${hex}`, `\\\\u00${hex}`, `\\\\x${hex}`, `&#x0*${hex};`, `&#0*${code};`, ...named]
    // Letters of the secret itself are told apart by their case.
    return `(?:${/[\w]/.test(character) ? character : `\\\\?\\x${hex}`}|${spellings.map(ignoreCase).join('|')})`
  })
  return new RegExp(characters.join(''), 'g')
}

function ignoreCase(pattern: string): string {
  return pattern.replace(/(?<!\\)[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)
}

/** What stands in base64 for a secret, at each of its three offsets, in both alphabets. */
function base64Of(secret: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.from('\0'.repeat(offset) + secret).toString('base64')
    // Characters at the ends also stand for what is beside the secret.
    const start = offset === 0 ? 0 : offset + 1
    const inner = encoded.replace(/=*$/, '').slice(start, -1)
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

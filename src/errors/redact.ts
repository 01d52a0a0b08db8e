const MARK = '[redacted]'

/** Real secrets are longer; taking out a shorter text would only garble what is shown. */
const MIN_LENGTH = 8

/** Deeper data means nothing to anybody; it is left out. */
const MAX_DEPTH = 100

/** Nested errors that a cause keeps. */
const MAX_ERRORS = 20

/** A text without the secrets, in whatever spelling: JSON, URL, HTML and base64 have their own. */
export function redactText(text: string, secrets: ReadonlySet<string>): string {
  if (text.length < MIN_LENGTH) return text
  let redacted = text
  for (const secret of secrets) {
    if (secret.length < MIN_LENGTH) continue
    redacted = redacted.replaceAll(secret, MARK)
    for (const spelling of base64Of(secret)) redacted = redacted.replaceAll(spelling, MARK)
    if (decode(redacted).includes(secret)) redacted = redacted.replace(spellingsOf(secret), MARK)
    // Encoded more than once: nothing of it can be kept.
    if (decode(decode(redacted)).includes(secret)) return MARK
  }
  return redacted
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

/**
 * A copy of what was thrown elsewhere: message, name, code and nested errors. Other members may hold anything, such as the
 * raw bytes of a response, and some are hidden.
 */
export function redactCause(cause: unknown, secrets: ReadonlySet<string>): unknown {
  let copied = 0
  const copy = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return redactText(value, secrets)
    if (typeof value !== 'object' || value === null) return typeof value === 'function' ? 'a function' : value
    copied += 1
    if (depth === MAX_DEPTH || copied > MAX_ERRORS) return undefined
    const { name, message, stack, code, syscall, cause: inner, errors } = value as Record<string, unknown>
    const error = new Error(redactText(typeof message === 'string' ? withoutHeaderValue(message) : '', secrets))
    error.stack = redactText(withoutHeaderValue(String(stack ?? '')), secrets)
    const members = {
      ...(typeof name === 'string' && { name: redactText(name, secrets) }),
      ...((typeof code === 'string' || typeof code === 'number') && { code: copy(code, depth) }),
      ...(typeof syscall === 'string' && { syscall: redactText(syscall, secrets) }),
      ...(inner !== undefined && { cause: copy(inner, depth + 1) }),
      ...(Array.isArray(errors) && { errors: errors.slice(0, MAX_ERRORS).map((one) => copy(one, depth + 1)) }),
    }
    for (const [key, member] of Object.entries(members)) {
      Object.defineProperty(error, key, {
        value: member,
        writable: true,
        configurable: true,
        enumerable: key !== 'name',
      })
    }
    return error
  }
  return copy(cause, 0)
}

/** A message without the header value that it quotes because no header can hold it: that may be a secret. */
function withoutHeaderValue(message: string): string {
  return message.replace(/^(|\w+: )(Headers\.\w+: )[\s\S]*?( is an invalid header )/, '$1$2what it was given$3')
}

/** A text whose escapes are undone: percent-encoding, those of JSON and JavaScript, and HTML's character references. */
function decode(text: string): string {
  const character = (digits: string, radix: number) => {
    const code = Number.parseInt(digits, radix)
    return code <= 0x10ffff ? String.fromCodePoint(code) : ''
  }
  return text
    .replace(/%([\da-f]{2})/gi, (_, hex: string) => character(hex, 16))
    .replace(/\\(?:u([\da-f]{4})|x([\da-f]{2}))/gi, (_, long?: string, short?: string) =>
      character(long ?? short ?? '', 16),
    )
    .replace(/&#(?:x([\da-f]+)|(\d+));/gi, (_, hex?: string, decimal?: string) =>
      hex === undefined ? character(decimal as string, 10) : character(hex, 16),
    )
    .replace(/&(amp|lt|gt|quot|apos|sol|equals|plus);/gi, (_, name: string) => ENTITIES[name.toLowerCase()] as string)
    .replace(/\\(["'\\/])/g, '$1')
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

import { encodePath } from '../signing/wire-url.ts'

/** Where one service lives: calls go below it and nowhere else. */
export interface BaseUrl {
  readonly origin: string
  readonly hostname: string
  /** Encoded as on the wire, without a slash at its end; empty for a bare host. */
  readonly path: string
  /** The whole URL, as it is for an empty path. */
  readonly href: string
}

const TEMPLATE_TOKEN = /\$\{|\{\{|\}\}/
const SCHEME = /^[a-z][a-z\d+.-]*:\/\//i
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/

/**
 * Reads a configured URL. Answers what is wrong with it as a text, which never repeats the value: it may hold a password.
 */
export function parseBaseUrl(value: string): BaseUrl | string {
  if (TEMPLATE_TOKEN.test(value)) return `holds an unresolved template token, such as \${...} or {{...}}`
  if (!URL.canParse(value)) return 'not a URL'
  const url = new URL(value)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.test(url.hostname))) {
    return 'must start with https:// (http:// only for loopback hosts)'
  }
  if (url.username !== '' || url.password !== '') return 'must not hold credentials'
  if (value.includes('?') || value.includes('#')) return 'must not hold a query or a fragment'
  const path = encodePath(url.pathname)
  return {
    origin: url.origin,
    hostname: url.hostname,
    path: path.replace(/\/$/, ''),
    href: url.origin + path,
  }
}

/** True for a text that names its own host: `https://...`; `jobs:cancel` is a path. */
export function isAbsolute(input: string): boolean {
  return SCHEME.test(withoutIgnored(input))
}

/** Joins a path, with or without a slash before it, and its query to the base, whatever the path says. */
export function joinToBase(base: BaseUrl, input: string): URL {
  const path = withoutIgnored(input)
  return new URL(
    /^([?#]|$)/.test(path) ? base.href + path : `${base.origin}${base.path}/${path.replace(/^[/\\]+/, '')}`,
  )
}

/** Why a URL is not the base's own, or undefined when it is. */
export function outsideBase(base: BaseUrl, url: URL): string | undefined {
  if (url.username !== '' || url.password !== '') return 'the URL must not hold credentials'
  if (url.origin !== base.origin) return `${url.origin} is not this service, whose base URL is ${base.href}`
  const path = encodePath(url.pathname)
  if ((path !== base.path && !path.startsWith(`${base.path}/`)) || climbs(path.slice(base.path.length))) {
    return `the path leaves the base URL ${base.href}`
  }
  return undefined
}

/** The URL parser resolves `..`, but not one that only a decoder further on would see, as in `..%2f..`. */
function climbs(path: string): boolean {
  let depth = 0
  for (const segment of path.replace(/%2f|%5c/gi, '/').split('/')) {
    if (/^(\.|%2e){2}$/i.test(segment)) depth -= 1
    else if (segment !== '' && !/^(\.|%2e)$/i.test(segment)) depth += 1
    if (depth < 0) return true
  }
  return false
}

/** What the URL parser drops from a text before it reads it: controls and spaces before, tabs and newlines within. */
function withoutIgnored(input: string): string {
  return input.replace(/^[\0- ]+|[\t\n\r]/g, '')
}

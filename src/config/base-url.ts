import { encodePath } from '../signing/index.ts'

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

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
 * Reads a configured URL. A text says what is wrong with it, and never repeats the value: it may hold a password.
 * @param allowHttp Whether plain http may lead to any host.
 */
export function parseBaseUrl(value: string, allowHttp = false): BaseUrl | string {
  if (TEMPLATE_TOKEN.test(value)) return `contains an unresolved template token, such as \${...} or {{...}}`
  if (!/^[a-z][a-z\d+.-]*:\/\//i.test(value)) {
    return /^[\w-]+(\.[\w-]+)*(:\d+)?(\/|$)/.test(value) ? 'https:// is missing' : 'not a URL'
  }
  // The URL parser would take the path's first segment for the host.
  if (/^https?:\/\/[/\\]/i.test(value) || !URL.canParse(value)) return 'not a URL'
  const url = new URL(value)
  const isHttpAllowed = allowHttp || LOOPBACK.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHttpAllowed)) {
    return 'must start with https:// (http:// only for loopback hosts, or with the option allowHttp)'
  }
  if (url.username !== '' || url.password !== '') return 'must not contain credentials'
  if (value.includes('?') || value.includes('#')) return 'must not contain a query or a fragment'
  // A name with a dot at its end is the same host, but no name of a certificate.
  url.hostname = url.hostname.replace(/\.$/, '')
  if (url.hostname.split('.').includes('')) return 'not a URL: a part of its host name is empty'
  const path = encodePath(url.pathname)
  return {
    origin: url.origin,
    hostname: url.hostname,
    path: path.replace(/\/$/, ''),
    href: url.origin + path,
  }
}

import { OPTION_ALLOW_HTTP } from '../errors/index.ts'
import { encodePath } from '../signing/index.ts'

/** Base URL of a service. A client sends only to paths below it. */
export interface BaseUrl {
  readonly origin: string
  readonly hostname: string
  /** Encoded as on the wire, without a trailing slash. Empty for a bare host. */
  readonly path: string
  /** URL of a call with an empty path. */
  readonly href: string
}

const TEMPLATE_TOKEN = /\$\{|\{\{|\}\}/
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/

/**
 * Parses a configured URL. Returns a text that describes the problem if it is invalid. The text never quotes the value,
 * which may contain a password.
 * @param allowHttp Whether plain http is allowed for any host.
 */
export function parseBaseUrl(value: string, allowHttp = false): BaseUrl | string {
  if (TEMPLATE_TOKEN.test(value)) return `contains an unresolved template token, such as \${...} or {{...}}`
  if (!/^[a-z][a-z\d+.-]*:\/\//i.test(value)) {
    return /^[\w-]+(\.[\w-]+)*(:\d+)?(\/|$)/.test(value) ? 'https:// is missing' : 'not a URL'
  }
  // The URL parser would use the first segment of the path as the host.
  if (/^https?:\/\/[/\\]/i.test(value) || !URL.canParse(value)) return 'not a URL'
  const url = new URL(value)
  const isHttpAllowed = allowHttp || LOOPBACK.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHttpAllowed)) {
    return `must start with https:// (http:// only for loopback hosts, or with ${OPTION_ALLOW_HTTP})`
  }
  if (url.username !== '' || url.password !== '') return 'must not contain credentials'
  if (value.includes('?') || value.includes('#')) return 'must not contain a query or a fragment'
  // A host name with a trailing dot is the same host, but no certificate contains it.
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

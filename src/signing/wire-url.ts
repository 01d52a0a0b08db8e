import type { RequestAddress } from '../transport/index.ts'
import type { ServiceKind } from './service-table.ts'

/** A URL in the form that is both sent and signed. */
export interface WireUrl extends RequestAddress {
  readonly origin: string
  readonly path: string
  /** Encoded names and values, in the order of the URL. */
  readonly query: readonly (readonly [name: string, value: string])[]
}

const UNRESERVED = /[\w\-.~]/
const PATH_UNSAFE = /%(?![\da-f]{2})|[^\w\-.~/%]/gi
const QUERY_UNSAFE = /%[\da-f]{2}|[^\w\-.~]/gi

/**
 * Encodes a URL strictly by RFC 3986, section 2.3: everything but unreserved characters. Only in this form do API
 * Gateway and the signer always see the same request. The URL parser does not encode `! ' ( ) *`.
 */
export function toWireUrl(url: URL, pathEncoding: ServiceKind['pathEncoding']): WireUrl {
  const path = pathEncoding === 'once' ? encodeSegments(url.pathname) : encodePath(url.pathname)
  const query = parseQuery(url.search)
  const search = query.map(([name, value]) => `${name}=${value}`).join('&')
  const pathAndQuery = `${path}${search && `?${search}`}`
  const { origin, protocol, hostname, port, host } = url
  return { href: origin + pathAndQuery, origin, protocol, hostname, port, host, pathAndQuery, path, query }
}

/** Encodes a path. Valid escapes stay as they are, other `%` are encoded, and repeated slashes are collapsed. */
export function encodePath(pathname: string): string {
  return encodeSegments(removeDotSegments(pathname).replace(/\/{2,}/g, '/'))
}

function encodeSegments(pathname: string): string {
  return pathname.replace(PATH_UNSAFE, percentEncode)
}

/**
 * Removes dot segments that the URL parser of Node.js 22 leaves after a segment that starts with a dot, as in `/.a/.`
 */
function removeDotSegments(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  return `/${kept.join('/')}${/\/\.{1,2}$/.test(path) ? '/' : ''}`
}

function parseQuery(search: string): [string, string][] {
  const pairs: [string, string][] = []
  for (const pair of search.slice(1).split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    pairs.push(
      equals === -1
        ? [encodeQueryPart(pair), '']
        : [encodeQueryPart(pair.slice(0, equals)), encodeQueryPart(pair.slice(equals + 1))],
    )
  }
  return pairs
}

/** Encodes a name or value. A `+` means a space, as in form-encoded queries. Escapes are normalized. */
function encodeQueryPart(part: string): string {
  return part.replaceAll('+', ' ').replace(QUERY_UNSAFE, (match) => {
    if (match.length < 3) return percentEncode(match)
    const character = String.fromCharCode(Number.parseInt(match.slice(1), 16))
    return UNRESERVED.test(character) ? character : match.toUpperCase()
  })
}

/** Encodes a character of a parsed URL, which is ASCII and no control character. */
function percentEncode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

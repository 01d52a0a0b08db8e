import type { RequestTarget } from '../transport/index.ts'
import type { ServiceKind } from './service-table.ts'

/** A URL in the one form in which it is both sent and signed. */
export interface WireUrl extends RequestTarget {
  readonly origin: string
  readonly path: string
  /** Encoded names and values in the order in which they are sent. */
  readonly query: readonly (readonly [name: string, value: string])[]
}

/** Nothing to encode, no dot segment, no slash twice: most paths. */
// Stryker disable next-line Regex: one that fits fewer paths only costs.
const PLAIN_PATH = /^(\/[\w\-~]+)*\/?$/
const UNRESERVED = /[\w\-.~]/
const PATH_UNSAFE = /%(?![\da-f]{2})|[^\w\-.~/%]/gi
const QUERY_UNSAFE = /%[\da-f]{2}|[^\w\-.~]/gi

/**
 * Writes a URL in the strict form of RFC 3986 (section 2.3: everything but unreserved characters is encoded), the only
 * one in which API Gateway's view of a request and the signer's cannot differ. WHATWG's own form leaves `! ' ( ) *`.
 */
export function toWireUrl(url: URL, pathEncoding: ServiceKind['pathEncoding'] = 'twice'): WireUrl {
  const path = pathEncoding === 'once' ? encodeSegments(url.pathname) : encodePath(url.pathname)
  const query = url.search === '' ? [] : parseQuery(url.search)
  const search = query.map(([name, value]) => `${name}=${value}`).join('&')
  const target = `${path}${search && `?${search}`}`
  const { origin, protocol, hostname, port, host } = url
  return { href: origin + target, origin, protocol, hostname, port, host, target, path, query }
}

/** Encodes a path: valid escapes stay as written, stray `%` are encoded, repeated slashes collapse to one. */
export function encodePath(pathname: string): string {
  if (PLAIN_PATH.test(pathname)) return pathname
  return encodeSegments(removeDotSegments(pathname).replace(/\/{2,}/g, '/'))
}

function encodeSegments(pathname: string): string {
  return pathname.replace(PATH_UNSAFE, percentEncode)
}

/** The URL parser of Node.js 22 leaves some behind another segment that starts with a dot, as in `/.a/.` Slashes may repeat. */
function removeDotSegments(path: string): string {
  if (!/\/\.{1,2}(\/|$)/.test(path)) return path
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

/** A `+` is a space here, as in every form-encoded query; escapes are brought to their one canonical spelling. */
function encodeQueryPart(part: string): string {
  return part.replaceAll('+', ' ').replace(QUERY_UNSAFE, (match) => {
    if (match.length < 3) return percentEncode(match)
    const character = String.fromCharCode(Number.parseInt(match.slice(1), 16))
    return UNRESERVED.test(character) ? character : match.toUpperCase()
  })
}

/** For a parsed URL's characters, which are all ASCII, and none of them a control. */
function percentEncode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

import type { BaseUrl, ServiceConfig } from '../config/index.ts'
import { type CallInfo, ServiceRequestError, ServicesConfigurationError, withoutControls } from '../errors/index.ts'
import { encodePath } from '../signing/index.ts'

const SCHEME = /^[a-z][a-z\d+.-]*:\/\//i

/** The URL of a call. */
export interface RequestUrl {
  readonly base: BaseUrl
  /** The caller's Request, or the URL of its input. */
  readonly input: URL | Request
  /** Path below the base URL, without the query. */
  readonly path: string
}

/**
 * Resolves the URL of a call, before anything is read or signed.
 * @throws ServiceRequestError for an input that is not below the service's base URL
 */
export function resolveRequestUrl(
  { base, urlMissing }: ServiceConfig,
  call: CallInfo,
  input: unknown,
  allow: { readonly absolute?: boolean } = {},
): RequestUrl {
  const isPath = typeof input === 'string' && !isAbsolute(input)
  const named = isPath ? { ...call, path: `/${withoutControls(input.replace(/^\/+|[?#].*/gs, ''))}` } : call
  const refuse = (problem: string) => new ServiceRequestError(named, problem)
  if (base === undefined) {
    throw new ServiceRequestError(named, urlMissing, { cause: new ServicesConfigurationError([urlMissing]) })
  }
  let url: URL
  if (isPath) {
    url = joinToBase(base, input)
  } else if (typeof input === 'string') {
    if (!allow.absolute) throw refuse(`the input is an absolute URL, not a path below ${base.href}`)
    if (!URL.canParse(input)) throw refuse('the input is not a URL')
    url = new URL(input)
  } else if (input instanceof URL || input instanceof Request) {
    url = new URL(input instanceof URL ? input : input.url)
  } else {
    throw refuse('the input must be a path, a URL or a Request')
  }
  const path = pathBelow(base, url, named)
  return { base, input: input instanceof Request ? input : url, path }
}

/**
 * The path of a URL below its base, without the query.
 * @throws ServiceRequestError for a URL that is not below it
 */
export function pathBelow(base: BaseUrl, url: URL, call: CallInfo): string {
  const path = encodePath(url.pathname)
  const outside = outsideBase(base, url, path)
  if (outside !== undefined) throw new ServiceRequestError(call, outside)
  return path.slice(base.path.length) || '/'
}

/** Whether a text is an absolute URL, such as `https://...`. `jobs:cancel` is a path. */
function isAbsolute(input: string): boolean {
  return SCHEME.test(withoutIgnored(input))
}

/** Joins a path and its query to the base URL. A leading slash makes no difference. */
function joinToBase(base: BaseUrl, input: string): URL {
  const path = withoutIgnored(input)
  return new URL(
    /^([?#]|$)/.test(path) ? base.href + path : `${base.origin}${base.path}/${path.replace(/^[/\\]+/, '')}`,
  )
}

/** Why a URL with this encoded path is not below the base URL. Undefined if it is. */
function outsideBase(base: BaseUrl, url: URL, path: string): string | undefined {
  if (url.username !== '' || url.password !== '') return 'the URL must not contain credentials'
  if (url.origin !== base.origin) return `${url.origin} is not the origin of this service's base URL ${base.href}`
  if ((path !== base.path && !path.startsWith(`${base.path}/`)) || climbs(path.slice(base.path.length))) {
    return `the path leaves the base URL ${base.href}`
  }
  return undefined
}

/** Encoded slashes that a decoder behind the gateway may decode. The `%` may be encoded several times. */
const HIDDEN_SLASH = /%(?:25)*(?:2f|5c)/i
const PARENT = /^(?:\.|%(?:25)*2e){2}$/i
const ITSELF = /^(?:\.|%(?:25)*2e)?$/i

/**
 * Whether a path leaves its root after any decoding. The URL parser resolves `..`, but not `..%2f..` or `%252e%252e/`.
 * A decoder may treat each encoded slash as a slash or as part of a name. So this computes the lowest depth of all
 * interpretations.
 */
function climbs(path: string): boolean {
  let depth = 0
  for (const segment of path.split('/')) {
    // Lowest depth before the pieces that the next piece may continue as one name.
    let joined = Number.POSITIVE_INFINITY
    for (const piece of segment.split(HIDDEN_SLASH)) {
      const next = Math.min(depth + stepOf(piece), joined + 1)
      if (next < 0) return true
      joined = Math.min(joined, depth)
      depth = next
    }
  }
  return false
}

function stepOf(piece: string): number {
  if (PARENT.test(piece)) return -1
  return ITSELF.test(piece) ? 0 : 1
}

/** Removes the characters that the URL parser ignores: leading controls and spaces, and all tabs and newlines. */
function withoutIgnored(input: string): string {
  return input.replace(/^[\0- ]+|[\t\n\r]/g, '')
}

// biome-ignore assist/source/organizeImports: where undici finds none, it makes itself the dispatcher of the built-in fetch
import { Exchange } from './transport/exchange.ts'
import { Pool } from 'undici'
import { createAgents, keepConnection } from './transport/keep-alive.ts'
import { isPlainRequest, PLAIN_MEMBERS } from './signing/request-body.ts'

/** What a request consists of that is sent from here. */
interface PlainInit extends RequestInit {
  readonly method?: string
  readonly body?: string | Uint8Array | null
}

const MEMBERS = [...PLAIN_MEMBERS, 'redirect']

const findPool = createAgents<Pool>(() => Date.now())

/**
 * A `fetch` for the option of that name, on undici's own dispatcher instead of the `fetch` above it, which takes more CPU
 * time than all else. Its connections may be idle for as long as those of the built-in one. What it does not know, it
 * leaves to that: a request that follows redirects, a Request, a body that is neither text nor bytes, other options.
 * Rejects as `fetch` does: with a `TypeError` whose `cause` says why, or with the signal's reason.
 */
export const fetch: typeof globalThis.fetch = (input, init) => {
  const url = readUrl(input)
  if (url === undefined) return globalThis.fetch(input, init)
  if (isPlain(input, url, init)) return send(url, init)
  const own = { ...init }
  keepConnection(own, url.origin)
  return globalThis.fetch(input, own)
}

function readUrl(input: string | URL | Request): URL | undefined {
  try {
    const url = new URL(input instanceof Request ? input.url : input)
    if (url.protocol === 'https:' || url.protocol === 'http:') return url
  } catch {
    // The built-in one says what is wrong with it.
  }
  return undefined
}

function isPlain(input: unknown, url: URL, init: RequestInit | undefined): init is PlainInit {
  return init?.redirect === 'manual' && !(input instanceof Request) && isPlainRequest(url, init, MEMBERS)
}

function send(url: URL, init: PlainInit): Promise<Response> {
  const { method = 'GET', body = null, signal } = init
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const { origin, pathname, search } = url
    // Stryker disable next-line ObjectLiteral,BooleanLiteral: held by connections that processes of their own make.
    const pool = findPool(origin, (options) => new Pool(origin, { ...options, allowH2: false }))
    const request = { path: pathname + search, method, headers: listHeaders(url, init), body }
    pool.dispatch(request, new Exchange({ method, url, signal }, resolve, reject))
  })
}

/** Names and values in turn: the caller's, and what `fetch` adds where the caller says nothing. */
function listHeaders({ protocol }: URL, { headers = {}, body }: PlainInit): string[] {
  const list: string[] = []
  // Stryker disable next-line ArrayDeclaration: no header has a name like that.
  const names: string[] = []
  for (const [name, value] of headers instanceof Headers ? headers : new Headers(headers)) {
    // Those are nobody's to choose.
    if (name === 'host' || name === 'sec-fetch-mode') continue
    names.push(name)
    list.push(name, value)
  }
  const add = (name: string, value: string) => {
    if (!names.includes(name)) list.push(name, value)
  }
  if (typeof body === 'string') add('content-type', 'text/plain;charset=UTF-8')
  add('accept', '*/*')
  add('accept-language', '*')
  add('sec-fetch-mode', 'cors')
  add('user-agent', 'node')
  if (names.includes('range')) add('accept-encoding', 'identity')
  else add('accept-encoding', protocol === 'https:' ? 'br, gzip, deflate' : 'gzip, deflate')
  return list
}

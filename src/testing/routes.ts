import { Failure } from './faults.ts'
import { Reply } from './reply.ts'

/** The request that a route's function gets. */
export interface RouteRequest<Param extends string = string> {
  /** HTTP method, in upper case. */
  readonly method: string
  /** Path below the service's base URL, decoded. */
  readonly path: string
  /** Values of the route's `:params`, decoded. */
  readonly params: Readonly<Record<Param, string>>
  /** Query parameters. For a repeated name, the last value. */
  readonly searchParams: Readonly<Record<string, string>>
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The body's bytes. Empty without a body. */
  readonly body: Uint8Array
  /** The body, parsed as JSON. Undefined if it is not JSON. */
  readonly json: unknown
}

/** An object that is neither a function nor a promise. */
type Data = (object | Readonly<Record<string, unknown>>) & NoFunction

/** Neither a function nor a promise. */
interface NoFunction {
  /** A member that only functions have. */
  readonly [Symbol.hasInstance]?: never
  /** A member that only promises have. */
  readonly then?: never
}

/**
 * Answer of a route: JSON, text, bytes, a `reply(...)`, or a `fail(...)`. Undefined is a 204. A function of the request
 * may return these, a stream, or a promise of them.
 */
export type RouteAnswer<Param extends string = string> =
  | Data
  | string
  | number
  | boolean
  | null
  | undefined
  | ((request: RouteRequest<Param>) => unknown)

/**
 * Answers by `METHOD /path`. A segment `:name` matches any value, but literal segments take precedence. The key `env`
 * may contain the name of the environment variable with the service's URL.
 */
export type Routes = Readonly<Record<string, RouteAnswer>>

/** Names of a route's params: `id` of `GET /jobs/:id`. */
type ParamsOf<Key> = string extends Key
  ? string
  : Key extends `${infer Before}/${infer After}`
    ? ParamsOf<Before> | ParamsOf<After>
    : Key extends `:${infer Name}`
      ? Name
      : never

/**
 * Routes by service. The type of each function's `params` follows the key of its route. A service may also have `env`:
 * the environment variable with its URL, if the clients' option `services` sets one.
 */
export type ServiceRoutes<R = Record<string, Routes>> = {
  readonly [Service in keyof R]: {
    readonly [Key in keyof R[Service]]: string extends Key
      ? RouteAnswer
      : Key extends 'env'
        ? string
        : Key extends `${Uppercase<string>} /${string}`
          ? RouteAnswer<ParamsOf<Key>>
          : "a route is like 'GET /jobs/:id'"
  }
}

export interface Route {
  /** `METHOD /path`, as written in the routes. */
  readonly key: string
  readonly method: string
  readonly segments: readonly string[]
  readonly answer: RouteAnswer
}

/** Parses a service's routes, in order of precedence. @throws TypeError for a route that is not `METHOD /path` */
export function parseRoutes(service: string, routes: Routes): readonly Route[] {
  const { env, ...answers } = routes
  const parsed = Object.entries(answers).map(([key, answer]) => {
    const read = readKey(key)
    if (read === undefined) {
      throw new TypeError(`Route '${key}' of service '${service}' must be like 'GET /jobs/:id'`)
    }
    return { key, answer, ...read }
  })
  return parsed.sort((a, b) => compareSegments(a.segments, b.segments))
}

function readKey(key: string): Pick<Route, 'method' | 'segments'> | undefined {
  // These characters would never match a path: a query, a fragment, API Gateway's `{id}` and `*`.
  const parts = /^([A-Z]+) (\/[^\s?#{}*]*)$/.exec(key)
  if (parts === null) return undefined
  const [, method, path] = parts as string[] as [string, string, string]
  const segments = path.split('/').map((segment) => (isParam(segment) ? segment : decodeSegment(segment)))
  const params = segments.filter(isParam)
  return params.includes(':') || new Set(params).size < params.length ? undefined : { method, segments }
}

function isParam(segment: string): boolean {
  return segment.startsWith(':')
}

/** As in API Gateway, a literal segment takes precedence over a param. */
function compareSegments(a: readonly string[], b: readonly string[]): number {
  const differing = a.findIndex((segment, index) => isParam(segment) !== isParam(String(b[index])))
  return differing === -1 ? 0 : isParam(a[differing] as string) ? 1 : -1
}

interface FoundRoute {
  readonly key: string
  readonly answer: RouteAnswer
  readonly params: Readonly<Record<string, string>>
}

/** Finds the first matching route. */
function findRoute(routes: readonly Route[], method: string, rawSegments: readonly string[]): FoundRoute | undefined {
  const actual = ['', ...rawSegments.map(decodeSegment)]
  for (const route of routes) {
    if (route.method !== method || route.segments.length !== actual.length) continue
    const params: Record<string, string> = {}
    const matches = route.segments.every((segment, index) => {
      const value = actual[index] as string
      if (!isParam(segment)) return segment === value
      params[segment.slice(1)] = value
      return value !== ''
    })
    if (matches) return { key: route.key, answer: route.answer, params }
  }
  return undefined
}

/** A received request. `target` is `/service/path?query`, not decoded. */
export interface Arrival {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
}

/** The service and the route of a request, from its head. */
export interface Located {
  readonly service: string
  readonly route: FoundRoute | undefined
  /** The members of the request that are known without its body. */
  readonly head: Omit<RouteRequest, 'params' | 'body' | 'json'>
}

export function locateRoute(
  services: ReadonlyMap<string, readonly Route[]>,
  { method, target, headers }: Arrival,
): Located {
  const [rawPath, search] = target.split(/\?(.*)/s) as [string, string?]
  const [, rawService = '', ...below] = rawPath.split('/')
  const segments = below.length > 0 ? below : ['']
  const service = decodeSegment(rawService)
  const routes = services.get(service)
  return {
    service,
    route: routes && findRoute(routes, method, segments),
    head: {
      method,
      path: `/${segments.map(decodeSegment).join('/')}`,
      searchParams: Object.fromEntries(new URLSearchParams(search)),
      headers,
    },
  }
}

export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString())
  } catch {
    // Not JSON, or no body.
  }
  return undefined
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** Resolves with the reply of a route. Rejects with the error of the route's function. */
export async function answerRoute(answer: RouteAnswer, request: RouteRequest): Promise<Reply | Failure> {
  const value: unknown = await (typeof answer === 'function' ? answer(request) : answer)
  if (value instanceof Reply || value instanceof Failure) return value
  return new Reply(value === undefined ? 204 : 200, value, {})
}

/** Shows the error of a route on the console: the code under test sees only a failed service. */
export function logFailedRoute(owner: string, service: string, key: string, error: unknown): void {
  console.error(`${owner}: the route '${key}' of service '${service}' failed:`, error)
}

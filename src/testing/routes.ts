/** A request as a route's function gets it. */
export interface RouteRequest<Param extends string = string> {
  /** HTTP method, in upper case. */
  readonly method: string
  /** Path below the service's base URL, decoded. */
  readonly path: string
  /** Values of the route's `:params`, decoded. */
  readonly params: Readonly<Record<Param, string>>
  /** The query; of a name that comes more than once, the last value. */
  readonly searchParams: Readonly<Record<string, string>>
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The body's bytes, none for an empty one. */
  readonly body: Uint8Array
  /** The body parsed as JSON; undefined where it is not. */
  readonly json: unknown
}

/** An object that is neither a function nor a promise. */
type Data = (object | Readonly<Record<string, unknown>>) & NoFunction

/** Neither a function nor a promise. */
interface NoFunction {
  /** What only functions have. */
  readonly [Symbol.hasInstance]?: never
  /** What only promises have. */
  readonly then?: never
}

/**
 * What a route answers: JSON, text, bytes, a `reply(...)`, a `fail(...)`, or a function of the request that returns one of
 * them, a stream, or a promise of it; undefined is a 204.
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
 * Answers by `METHOD /path`, with `:name` for a segment of any value. Literal segments win over those. Beside them, `env`
 * may name the variable that holds the service's URL.
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
 * Routes by service; each function's `params` follow the key of its route. Beside its routes, a service may have `env`: the
 * variable that holds its URL, where the clients' `services` option names one.
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
  /** `METHOD /path`, as it was given. */
  readonly key: string
  readonly method: string
  readonly segments: readonly string[]
  readonly answer: RouteAnswer
}

/** Reads a service's routes once, in the order of precedence. @throws TypeError for one that is not `METHOD /path` */
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
  // What no path can hold would never fit: a query, a fragment, API Gateway's own `{id}` and `*`.
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

/** As in API Gateway, a literal segment comes before a param in its place. */
function compareSegments(a: readonly string[], b: readonly string[]): number {
  const differing = a.findIndex((segment, index) => isParam(segment) !== isParam(String(b[index])))
  return differing === -1 ? 0 : isParam(a[differing] as string) ? 1 : -1
}

interface FoundRoute {
  readonly key: string
  readonly answer: RouteAnswer
  readonly params: Readonly<Record<string, string>>
}

/** The first route that fits. */
function findRoute(routes: readonly Route[], method: string, rawSegments: readonly string[]): FoundRoute | undefined {
  const actual = ['', ...rawSegments.map(decodeSegment)]
  for (const route of routes) {
    if (route.method !== method || route.segments.length !== actual.length) continue
    const params: Record<string, string> = {}
    const fits = route.segments.every((segment, index) => {
      const value = actual[index] as string
      if (!isParam(segment)) return segment === value
      params[segment.slice(1)] = value
      return value !== ''
    })
    if (fits) return { key: route.key, answer: route.answer, params }
  }
  return undefined
}

/** A request as it arrives: `target` is `/service/path?query`, nothing decoded. */
export interface Arrival {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
}

/** What the request's head says: the service, and the route that fits. */
export interface Located {
  readonly service: string
  readonly route: FoundRoute | undefined
  /** As much of the request as is known before its body is there. */
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
    // Something else, or nothing.
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

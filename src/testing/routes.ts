/** A request as a route's function gets it. */
export interface RouteRequest {
  readonly method: string
  /** Path below the service's base URL, decoded. */
  readonly path: string
  /** Values of the route's `:params`, decoded. */
  readonly params: Readonly<Record<string, string>>
  /** The query; of a name that comes more than once, the last value. */
  readonly searchParams: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** The body parsed as JSON; undefined where it is not. */
  readonly json: unknown
}

/** An answer with a status of its own. */
export class Reply {
  readonly status: number
  readonly body: unknown
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>>) {
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/** Answers with `status`; a body that is not text or bytes goes out as JSON. */
export function reply(status: number, body?: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return new Reply(status, body, headers)
}

/** What a route answers: JSON, text, bytes, a `reply(...)`, or a function of the request that gives one of them. */
export type RouteAnswer = object | string | number | boolean | null | undefined | ((request: RouteRequest) => unknown)

/** Answers by `METHOD /path`, with `:name` for a segment of any value. */
export type Routes = Readonly<Record<string, RouteAnswer>>

export interface Route {
  /** `METHOD /path`, as it was given. */
  readonly key: string
  readonly method: string
  readonly segments: readonly string[]
  readonly answer: RouteAnswer
}

/** Reads routes once. @throws TypeError for one that is not `METHOD /path` */
export function parseRoutes(service: string, routes: Routes): readonly Route[] {
  return Object.entries(routes).map(([key, answer]) => {
    const [, method, path] = /^([A-Z]+) (\/\S*)$/.exec(key) ?? []
    if (method === undefined || path === undefined) {
      throw new TypeError(`Route '${key}' of service '${service}' must be like 'GET /jobs/:id'`)
    }
    return { key, method, segments: path.split('/'), answer }
  })
}

/** The route of a request and the values of its params; the first one that fits. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  rawPath: string,
): { readonly key: string; readonly answer: RouteAnswer; readonly params: Record<string, string> } | undefined {
  const actual = rawPath.split('/').map(decodeSegment)
  for (const route of routes) {
    if (route.method !== method || route.segments.length !== actual.length) continue
    const params: Record<string, string> = {}
    const fits = route.segments.every((segment, index) => {
      const value = actual[index] as string
      if (!segment.startsWith(':')) return segment === value
      params[segment.slice(1)] = value
      return value !== ''
    })
    if (fits) return { key: route.key, answer: route.answer, params }
  }
  return undefined
}

/** What a route answers to a request. */
export async function answerRoute(answer: RouteAnswer, request: RouteRequest): Promise<Reply> {
  const value = typeof answer === 'function' ? await answer(request) : answer
  return value instanceof Reply ? value : new Reply(value === undefined ? 204 : 200, value, {})
}

export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

import {
  bindServices,
  createRetryBudget,
  createServiceFactory,
  type ServiceClient,
  type ServiceNames,
} from '../client/index.ts'
import { ServiceRequestError } from '../errors/index.ts'
import { encodeReply } from './gateway-answer.ts'
import { mockUrl } from './mock-env.ts'
import {
  answerRoute,
  Failure,
  locateRoute,
  parseJson,
  parseRoutes,
  type Reply,
  type Route,
  type Routes,
  type ServiceRoutes,
} from './routes.ts'

/** One request that a mock was sent. Retries are requests of their own. */
export interface MockCall {
  /** HTTP method, in upper case. */
  readonly method: string
  /** Path below the service's base URL, decoded. */
  readonly path: string
  /** The query; of a name that comes more than once, the last value. */
  readonly searchParams: Readonly<Record<string, string>>
  /** The body parsed as JSON; undefined where it is not. */
  readonly json: unknown
  /** Names in lower case; without what signing adds. */
  readonly headers: Readonly<Record<string, string>>
}

/** A client whose requests end in memory. */
export interface MockClient extends ServiceClient {
  /** What it was sent, in order; by copies made with `.extend`, too. */
  readonly calls: readonly MockCall[]
}

/** One mock a service, by the services' names or by their routes: `MockServices<'ai' | 'integration'>`. */
export type MockServices<R = Record<string, Routes>> = { readonly [Service in ServiceNames<R>]: MockClient }

/** Of nobody. */
const IDENTITY = { accessKeyId: 'AKIAMOCKED', secretAccessKey: 'mocked' }

const SIGNATURE_HEADERS = ['authorization', 'x-amz-content-sha256', 'x-amz-date']

/**
 * Services for a handler's unit test: the real clients, errors and retries over a transport in memory. Retries wait 0 ms,
 * unless an answer asks for more, and have no quota. A request that no route fits fails with a `ServiceRequestError` that
 * lists the routes, and so does one whose route's function throws. A chain's own options have no effect on mocks.
 *
 * @param routes What each service answers, by route.
 * @throws TypeError for a route that is not `METHOD /path`
 */
export function mockServices<R extends object>(routes: ServiceRoutes<R>): MockServices<ServiceNames<R>> {
  const mocks = Object.entries<Routes>(routes as Record<string, Routes>).map(([name, own]) => {
    const calls: MockCall[] = []
    const options = {
      services: { [name]: mockUrl(name) },
      region: 'us-east-1',
      credentials: IDENTITY,
      retry: { delay: () => 0 },
      fetch: createTransport(name, parseRoutes(name, own), calls),
    }
    // A quota would let one test's failures show in another.
    const services = bindServices(
      createServiceFactory(options, 'mockServices', () => createRetryBudget(Number.POSITIVE_INFINITY)),
    )
    return [name, Object.assign(services[name] as ServiceClient, { calls })]
  })
  return Object.fromEntries(mocks)
}

/** What the signed fetch is given in place of the network. */
function createTransport(name: string, routes: readonly Route[], calls: MockCall[]): typeof globalThis.fetch {
  const services = new Map([[name, routes]])
  return async (input, init = {}) => {
    const { pathname, search } = new URL(input as string)
    const { method, body } = init as RequestInit & { readonly method: string }
    const headers = Object.fromEntries(init.headers as Headers)
    for (const added of SIGNATURE_HEADERS) delete headers[added]
    const bytes = Buffer.from((body ?? '') as string | Uint8Array<ArrayBuffer>)
    const { route, head } = locateRoute(services, { method, target: pathname + search, headers })
    // Copies of its own: a route's function may change what it gets.
    calls.push(structuredClone({ ...head, json: parseJson(bytes) }))
    const refuse = (problem: string, details?: { cause: unknown }) =>
      new ServiceRequestError({ service: name, method, path: head.path, attempts: 0 }, problem, details)
    if (route === undefined) {
      const defined = routes.map(({ key }) => `'${key}'`).join(', ')
      throw refuse(`mockServices has no such route of '${name}', ${defined ? `only ${defined}` : 'nor any other'}`)
    }
    const answer = await answerRoute(route.answer, {
      ...head,
      params: route.params,
      body: bytes,
      json: parseJson(bytes),
    })
      .then((given) => (given instanceof Failure ? given : toResponse(given, method)))
      .catch((cause: unknown) => {
        const problem = cause instanceof Error ? cause.message : String(cause)
        throw refuse(`the route '${route.key}' of mockServices failed: ${problem}`, { cause })
      })
    // A Response that is made by hand has no URL.
    if (answer instanceof Response) return Object.defineProperty(answer, 'url', { value: input })
    throw transportError(answer)
  }
}

function toResponse(reply: Reply, method: string): Response {
  const { status, payload, headers } = encodeReply(reply)
  const hasBody = payload.length > 0 && method !== 'HEAD' && ![204, 205, 304].includes(status)
  return new Response(hasBody ? (payload as string | Uint8Array<ArrayBuffer>) : null, { status, headers })
}

/** As `fetch` fails. */
function transportError({ kind }: Failure): Error {
  if (kind === 'timeout') return new DOMException('mockServices let the call time out', 'TimeoutError')
  const cause = Object.assign(new Error('mockServices broke the connection'), { code: 'ECONNRESET' })
  // Stryker disable next-line StringLiteral: what the error tells is its cause.
  return new TypeError('fetch failed', { cause })
}

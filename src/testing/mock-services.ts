import {
  bindServices,
  createRetryBudget,
  createServiceFactory,
  type RetryBudget,
  type ServiceClient,
  type ServiceNames,
} from '../client/index.ts'
import { ServiceRequestError } from '../errors/index.ts'
import { passRetryTimer } from './fake-clock.ts'
import { type Break, effectOf, Failure, HALF_ANSWER } from './faults.ts'
import { encodeReply, type GatewayResponse, headersOf, mayHaveBody } from './gateway-response.ts'
import { mockUrl } from './mock-env.ts'
import {
  answerRoute,
  locateRoute,
  logFailedRoute,
  parseJson,
  parseRoutes,
  type Route,
  type Routes,
  type ServiceRoutes,
} from './routes.ts'
import { type StreamBody, toByteStream } from './stream-body.ts'
import { verifySignature } from './verify-signature.ts'

/** A request that a mock received. Each retry is a separate request. */
export interface MockCall {
  /** HTTP method, in upper case. */
  readonly method: string
  /** Path below the service's base URL, decoded. */
  readonly path: string
  /** Query parameters. For a repeated name, the last value. */
  readonly searchParams: Readonly<Record<string, string>>
  /** The body, parsed as JSON. Undefined if it is not JSON. */
  readonly json: unknown
  /** Names in lower case, without the headers that signing adds. */
  readonly headers: Readonly<Record<string, string>>
}

/** A client whose requests stay in memory. */
export interface MockClient extends ServiceClient {
  /** The requests of this client and of its `.extend` copies, in order. */
  readonly calls: readonly MockCall[]
}

/** One mock for each service, by the services' names or by their routes: `MockServices<'ai' | 'integration'>`. */
export type MockServices<R = Record<string, Routes>> = { readonly [Service in ServiceNames<R>]: MockClient }

/** Invalid credentials. */
const IDENTITY = { accessKeyId: 'AKIAMOCKED', secretAccessKey: 'mocked' }
const REGION = 'us-east-1'

const SIGNATURE_HEADERS = ['authorization', 'x-amz-content-sha256', 'x-amz-date']

/** Creates a budget without a limit: with one, failures in one test would affect another. */
function createMockBudget(): RetryBudget {
  const budget = createRetryBudget(Number.POSITIVE_INFINITY)
  return {
    ...budget,
    take: () => {
      passRetryTimer()
      return budget.take()
    },
  }
}

/**
 * Creates services for a handler's unit test: real clients, errors and retries, with a transport in memory. Retries
 * wait 0 ms, unless a response asks for more, and have no budget. With fake timers, calls and retries work without
 * advancing the time.
 *
 * A request without a matching route throws a `ServiceRequestError` that lists the routes. If the function of a route
 * throws, the call throws a `ServiceRequestError`, too, and the console shows the function's error. The options of
 * `signedServices` have no effect on mocks.
 *
 * @param routes The answers of each service, by route. An `env` beside the routes has no effect here.
 * @throws TypeError for a route that is not `METHOD /path`
 */
export function mockServices<R extends object>(routes: ServiceRoutes<R>): MockServices<ServiceNames<R>> {
  const mocks = Object.entries<Routes>(routes as Record<string, Routes>).map(([name, own]) => {
    const calls: MockCall[] = []
    const options = {
      services: { [name]: mockUrl(name) },
      region: REGION,
      credentials: IDENTITY,
      retry: { delay: () => 0 },
      fetch: createTransport(name, parseRoutes(name, own), calls),
    }
    const services = bindServices(createServiceFactory(options, 'mockServices', createMockBudget))
    return [name, Object.assign(services[name] as ServiceClient, { calls })]
  })
  return Object.fromEntries(mocks)
}

/** Creates a `fetch` that responds from the routes. */
function createTransport(name: string, routes: readonly Route[], calls: MockCall[]): typeof globalThis.fetch {
  const services = new Map([[name, routes]])
  return async (input, init = {}) => {
    const { host, pathname, search } = new URL(input as string)
    const target = pathname + search
    const { method, body: given } = init as RequestInit & { readonly method: string }
    const body = Buffer.from((given ?? '') as string | Uint8Array<ArrayBuffer>)
    const signedHeaders = Object.fromEntries(init.headers as Headers)
    const headers = { ...signedHeaders }
    for (const added of SIGNATURE_HEADERS) delete headers[added]
    const { route, head } = locateRoute(services, { method, target, headers })
    // A copy, because a route's function may change its request.
    calls.push(structuredClone({ ...head, json: parseJson(body) }))
    const refuse = (problem: string, details?: { cause: unknown }) =>
      new ServiceRequestError({ service: name, method, path: head.path, attempts: 0 }, problem, details)
    if (route === undefined) {
      const defined = routes.map(({ key }) => `'${key}'`).join(', ')
      throw refuse(`mockServices has no such route of '${name}', ${defined ? `only ${defined}` : 'and no other route'}`)
    }

    const now = Date.now()
    const log = (error: unknown) => logFailedRoute('mockServices', name, route.key, error)
    const openStream = (stream: StreamBody) =>
      toByteStream(stream, (error) => {
        log(error)
        return breakError('reset')
      })
    const takeSignature = () => {
      const rawHeaders = Object.entries({ host, ...signedHeaders }).flat()
      return verifySignature({ method, target, rawHeaders, body }, { credentials: [IDENTITY], region: REGION, now })
    }
    const decide = async (): Promise<Response | Error> => {
      const answer = await answerRoute(route.answer, { ...head, params: route.params, body, json: parseJson(body) })
      if (!(answer instanceof Failure)) return toResponse(encodeReply(answer, openStream), method)
      const effect = effectOf(answer.fault)
      if (effect.kind === 'break') return toBroken(effect, method, now)
      const { authorization } = signedHeaders as { readonly authorization: string }
      const own = effect.answer({
        ...head,
        service: name,
        region: REGION,
        authorization,
        signature: takeSignature(),
        now,
      })
      return toResponse({ ...own, headers: Object.fromEntries(headersOf(own, now)) }, method)
    }
    const outcome = await decide().catch((cause: unknown) => {
      log(cause)
      const problem = cause instanceof Error ? cause.message : String(cause)
      throw refuse(`the route '${route.key}' of mockServices failed: ${problem}`, { cause })
    })
    if (outcome instanceof Error) throw outcome
    return outcome
  }
}

function toResponse({ status, payload, headers }: GatewayResponse, method: string): Response {
  const body = mayHaveBody(method, status) ? toBody(payload) : null
  if (body === null && payload instanceof ReadableStream) payload.cancel()
  return new Response(body, { status, headers })
}

/** Streams also a whole body: the stream of a native `Response` ends in a microtask, which fake timers may delay. */
function toBody(payload: GatewayResponse['payload']): ReadableStream<Uint8Array> | null {
  if (payload instanceof ReadableStream) return payload
  return payload.length === 0 ? null : ReadableStream.from([Buffer.from(payload)])
}

/** The result of a `fetch` whose connection fails. */
function toBroken({ sendsHalf, end }: Break, method: string, now: number): Response | Error {
  const error = breakError(end)
  if (!sendsHalf) return error
  async function* half() {
    yield HALF_ANSWER.payload
    throw error
  }
  const payload = toByteStream(half(), () => error)
  return toResponse({ ...HALF_ANSWER, payload, headers: Object.fromEntries(headersOf(HALF_ANSWER, now)) }, method)
}

function breakError(end: Break['end']): Error {
  if (end === 'hang') return new DOMException('mockServices simulated a timeout', 'TimeoutError')
  return Object.assign(new Error('mockServices simulated a broken connection'), { code: 'ECONNRESET' })
}

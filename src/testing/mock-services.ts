import {
  bindServices,
  createRetryBudget,
  createServiceFactory,
  type RetryBudget,
  type ServiceClient,
  type ServiceNames,
} from '../client/index.ts'
import { ServiceRequestError } from '../errors/index.ts'
import { answerRoute, tellFailedRoute } from './answer-route.ts'
import { passRetryTimer } from './fake-clock.ts'
import { type Break, effectOf, Failure, HALF_ANSWER } from './faults.ts'
import { encodeReply, type GatewayAnswer, headersOf, mayHaveBody } from './gateway-answer.ts'
import { mockUrl } from './mock-env.ts'
import { locateRoute, parseJson, parseRoutes, type Route, type Routes, type ServiceRoutes } from './routes.ts'
import { type StreamBody, toByteStream } from './stream-body.ts'
import { verifySignature } from './verify-signature.ts'

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
const REGION = 'us-east-1'

const SIGNATURE_HEADERS = ['authorization', 'x-amz-content-sha256', 'x-amz-date']

/** Grants every retry: a quota would let one test's failures show in another. */
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
 * Services for a handler's unit test: the real clients, errors and retries over a transport in memory. Retries wait 0 ms,
 * unless a response asks for more, and have no quota. Fake timers need not be advanced for calls and retries.
 *
 * A request that no route fits fails with a `ServiceRequestError` that lists the routes. A route's function that throws
 * fails the call with a `ServiceRequestError`, too, and the console shows its error. A chain's own options have no effect
 * on mocks.
 *
 * @param routes What each service answers, by route. An `env` beside a service's routes has no effect here.
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

/** What the signed fetch is given in place of the network. */
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
    // Copies of its own: a route's function may change what it gets.
    calls.push(structuredClone({ ...head, json: parseJson(body) }))
    const refuse = (problem: string, details?: { cause: unknown }) =>
      new ServiceRequestError({ service: name, method, path: head.path, attempts: 0 }, problem, details)
    if (route === undefined) {
      const defined = routes.map(({ key }) => `'${key}'`).join(', ')
      throw refuse(`mockServices has no such route of '${name}', ${defined ? `only ${defined}` : 'and no other route'}`)
    }

    const now = Date.now()
    const tell = (error: unknown) => tellFailedRoute('mockServices', name, route.key, error)
    const openStream = (stream: StreamBody) =>
      toByteStream(stream, (error) => {
        tell(error)
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
      tell(cause)
      const problem = cause instanceof Error ? cause.message : String(cause)
      throw refuse(`the route '${route.key}' of mockServices failed: ${problem}`, { cause })
    })
    if (outcome instanceof Error) throw outcome
    return outcome
  }
}

function toResponse({ status, payload, headers }: GatewayAnswer, method: string): Response {
  const body = mayHaveBody(method, status) ? toBody(payload) : null
  if (body === null && payload instanceof ReadableStream) payload.cancel()
  return new Response(body, { status, headers })
}

/** A stream of our own also for a whole body: that of `fetch` ends in a microtask, which a test may have faked. */
function toBody(payload: GatewayAnswer['payload']): ReadableStream<Uint8Array> | null {
  if (payload instanceof ReadableStream) return payload
  return payload.length === 0 ? null : ReadableStream.from([Buffer.from(payload)])
}

/** What becomes of a connection, as `fetch` shows it. */
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

import { type CallOptions, CircuitBreaker, createServices, type ServiceClient, STATUS_CODES } from './client/index.ts'
import { type CircuitBreakerOptions, MAX_TIMER_MS, toVariable } from './config/index.ts'
import {
  messageOf,
  readRetryAfter,
  ServiceError,
  ServiceNetworkError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceThrottledError,
} from './errors/index.ts'

export {
  type AuthReason,
  CircuitOpenError,
  ServiceAuthError,
  ServiceError,
  type ServiceErrorCode,
  ServiceNetworkError,
  ServiceRequestError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceThrottledError,
  ServiceTimeoutError,
} from './errors/index.ts'
export { CircuitBreaker, type CircuitBreakerOptions }

/** `GET`, `POST`, `PUT`, `PATCH`, `DELETE` or `HEAD`, in any case. */
export type HttpMethod = string

/** Values of a query, added to those that the path has; undefined ones are left out. */
export type QueryParams = Readonly<Record<string, string | number | boolean | undefined>>

/** What one invocation may set. */
export interface InvokeOptions {
  /**
   * Milliseconds an attempt may take, headers and body together.
   * @default 30_000
   */
  readonly timeout?: number | undefined
  /** Ends the invocation with its own reason. Default: none. */
  readonly signal?: AbortSignal | undefined
  /** Sent with the request, beside those that every call has. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** One of a batch; the members are the parameters of `invokeApiGateway`. */
export interface BatchRequest {
  /** Base URL, stage included. */
  readonly apiUrl: string
  /** HTTP method, in any case. */
  readonly method: HttpMethod
  /** Path below `apiUrl`. */
  readonly path: string
  /** Sent as JSON, unless it is bytes, a form or a stream already; text is taken for JSON that is written already. */
  readonly body?: unknown
  /** Added to the query. */
  readonly queryParams?: QueryParams | undefined
  /** Bounds and headers of this request alone. */
  readonly options?: InvokeOptions | undefined
}

/** Options of `batchInvokeApiGateway`. */
export interface BatchOptions {
  /**
   * Requests that may be under way at a time, at least 1.
   * @default 10
   */
  readonly concurrency?: number | undefined
}

/** Calls one service. */
export interface InvokeService {
  /**
   * Calls the service and gives its answer's JSON, undefined for an empty one.
   * @param path Path below the service's base URL, with or without a leading slash.
   * @param method HTTP method, in any case; GET by default.
   * @param body Sent as JSON, unless it is bytes, a form or a stream already; text is taken for JSON that is written
   * already. Undefined and null are no body.
   * @param queryParams Added to the query; undefined values are left out.
   * @param options Bounds and headers of this call.
   * @throws ServicesConfigurationError by the promise, for a variable that is not set or cannot be called: it is read now
   * @throws ServiceError by the promise
   */
  // biome-ignore lint/style/useShorthandFunctionType: editors show what is said of the signature, not of its type
  <T = unknown>(
    path: string,
    method?: HttpMethod,
    body?: unknown,
    queryParams?: QueryParams,
    options?: InvokeOptions,
  ): Promise<T>
}

/** Some requests of a batch failed; what the others answered is kept. */
export class BatchInvokeError extends Error {
  /** The class, whatever a bundler makes of its name. */
  override readonly name: string = 'BatchInvokeError'
  /** Stable: `ERR_BATCH_INVOKE`. */
  readonly code: 'ERR_BATCH_INVOKE' = 'ERR_BATCH_INVOKE'
  /** Answers in the order of the requests; undefined for those that failed. */
  readonly results: readonly unknown[]
  /** The errors, in the order of the requests. */
  readonly errors: readonly unknown[]
  /** Which requests they belong to. */
  readonly failedIndexes: readonly number[]

  constructor(settled: readonly PromiseSettledResult<unknown>[]) {
    const failed = settled.flatMap((one, index) => (one.status === 'rejected' ? [{ index, error: one.reason }] : []))
    const list = failed.map(({ index, error }) => `\n  [${index}] ${messageOf(error)}`)
    super(`${failed.length} of ${settled.length} requests failed:${list.join('')}`)
    this.results = settled.map((one) => (one as Partial<PromiseFulfilledResult<unknown>>).value)
    this.errors = failed.map(({ error }) => error)
    this.failedIndexes = failed.map(({ index }) => index)
  }
}

/** Calls the service at `AI_SERVICE_API_URL`. */
export const invokeAiService: InvokeService = invokeService('ai')
/** Calls the service at `INTEGRATION_SERVICE_API_URL`. */
export const invokeIntegrationService: InvokeService = invokeService('integration')
/** Calls the service at `BACKGROUND_SERVICE_API_URL`. */
export const invokeBackgroundService: InvokeService = invokeService('background')
/** Calls the service at `ADMIN_SERVICE_API_URL`. */
export const invokeAdminService: InvokeService = invokeService('admin')

/**
 * Sends a signed request below `apiUrl` and gives its answer's JSON, undefined for an empty one. A body is sent as JSON,
 * unless it is bytes, a form or a stream already; text is taken for JSON that is written already.
 * @param apiUrl Base URL, stage included.
 * @param method HTTP method, in any case.
 * @param path Path below `apiUrl`, with or without a leading slash.
 * @param body Undefined and null are no body.
 * @param queryParams Added to the query; undefined values are left out.
 * @param options Bounds and headers of this call.
 * @throws ServicesConfigurationError by the promise, for an `apiUrl` that cannot be called
 * @throws ServiceError by the promise
 */
export function invokeApiGateway<T = unknown>(
  apiUrl: string,
  method: HttpMethod,
  path: string,
  body?: unknown,
  queryParams?: QueryParams,
  options: InvokeOptions = {},
): Promise<T> {
  return invoke<T>(() => clientAt(apiUrl), method, path, body, queryParams, options)
}

/**
 * The same, sent again up to `maxRetries` times on 408, 429, 500, 502, 503, 504 and network errors, whatever its method:
 * use it where running twice does no harm. Waits as long as an answer asks, if that is no more than 30 seconds, else up to
 * `baseDelay * 2^n` milliseconds.
 * @param apiUrl Base URL, stage included.
 * @param method HTTP method, in any case.
 * @param path Path below `apiUrl`, with or without a leading slash.
 * @param body Undefined and null are no body; a stream is read into memory first.
 * @param queryParams Added to the query; undefined values are left out.
 * @param maxRetries How many more requests may follow the first one; 3 by default.
 * @param baseDelay Milliseconds that the first retry waits at most; 1000 by default.
 * @throws TypeError by the promise, for a number that is negative or not finite
 * @throws ServicesConfigurationError by the promise, for an `apiUrl` that cannot be called
 * @throws ServiceError by the promise, the last one; its `attempts` count all requests
 */
export async function invokeApiGatewayWithRetry<T = unknown>(
  apiUrl: string,
  method: HttpMethod,
  path: string,
  body?: unknown,
  queryParams?: QueryParams,
  maxRetries: number = 3,
  baseDelay: number = 1000,
): Promise<T> {
  for (const [name, value] of Object.entries({ maxRetries, baseDelay })) {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY))
      throw new TypeError(`'${name}' must be a number of at least 0`)
  }
  // A stream can be read once only.
  const payload = body instanceof ReadableStream ? new Uint8Array(await new Response(body).arrayBuffer()) : body
  let attempts = 0
  for (let retries = 0; ; retries += 1) {
    try {
      return await invoke<T>(() => clientAt(apiUrl), method, path, payload, queryParams, {}, 0)
    } catch (error) {
      if (error instanceof ServiceError) {
        attempts += error.attempts
        Object.defineProperty(error, 'attempts', { value: attempts, enumerable: true })
      }
      const delay = delayOf(error, baseDelay * 2 ** retries)
      if (retries >= maxRetries || delay === undefined) throw error
      await new Promise((resolve) => setTimeout(resolve, Math.min(delay, MAX_TIMER_MS)))
    }
  }
}

/**
 * Sends requests side by side, at most `concurrency` at a time, and gives their answers in order.
 * @param requests What `invokeApiGateway` would be given, one by one.
 * @param options How many at a time.
 * @throws TypeError by the promise, for a `concurrency` below 1
 * @throws BatchInvokeError by the promise, after all have ended, if any failed
 */
export async function batchInvokeApiGateway(
  requests: readonly BatchRequest[],
  options: BatchOptions = {},
): Promise<unknown[]> {
  const { concurrency = 10 } = options
  if (!(concurrency >= 1)) throw new TypeError("'concurrency' must be a number of at least 1")
  const settled: PromiseSettledResult<unknown>[] = []
  const queue = requests.keys()
  const work = async () => {
    for (const index of queue) {
      const [result] = await Promise.allSettled([invokeRequest(requests, index)])
      settled[index] = result as PromiseSettledResult<unknown>
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, requests.length) }, work))
  if (settled.some(({ status }) => status === 'rejected')) throw new BatchInvokeError(settled)
  return settled.map((one) => (one as PromiseFulfilledResult<unknown>).value)
}

/** Asynchronous, so that whatever is wrong with a request fails it alone. */
async function invokeRequest(requests: readonly BatchRequest[], index: number): Promise<unknown> {
  const { apiUrl, method, path, body, queryParams, options } = requests[index] as BatchRequest
  return invokeApiGateway(apiUrl, method, path, body, queryParams, options)
}

function invokeService(name: string): InvokeService {
  const variable = toVariable(name)
  return (path, method = 'GET', body, queryParams, options = {}) =>
    invoke(() => clientOf(name, process.env[variable], variable), method, path, body, queryParams, options)
}

/** Gives the client's own promise: one that nobody awaits is logged when it fails, and ends no process. */
function invoke<T>(
  client: () => ServiceClient,
  method: HttpMethod,
  path: string,
  body: unknown,
  queryParams: QueryParams = {},
  options: InvokeOptions,
  retry: NonNullable<CallOptions['retry']> = {},
): Promise<T> {
  try {
    const { timeout, signal = null, headers = {} } = options
    return client()(path, {
      method,
      searchParams: queryParams,
      headers,
      signal,
      retry,
      // Stryker disable next-line ConditionalExpression: to ky, an undefined one is none.
      ...(timeout !== undefined && { timeout }),
      ...encodeBody(body, headers),
    }).json<T>()
  } catch (error) {
    return Promise.reject(error)
  }
}

function encodeBody(body: unknown, headers: InvokeOptions['headers']): CallOptions {
  if (body == null) return {}
  if (typeof body === 'string') {
    // As hand-written signers do: text is JSON that somebody has written already.
    return { body, headers: { 'content-type': 'application/json', ...headers } }
  }
  const isEncoded = [ArrayBuffer, Blob, FormData, ReadableStream, URLSearchParams].some((type) => body instanceof type)
  return isEncoded || ArrayBuffer.isView(body) ? { body: body as NonNullable<CallOptions['body']> } : { json: body }
}

/** Clients live as long as the environment, so that their retry budget, clock and credentials do. */
const clients = new Map<string, ServiceClient>()
const MAX_CLIENTS = 100

/** `source` is what the URL comes from, in messages. */
function clientOf(name: string, url: string | undefined, source: string): ServiceClient {
  const key = JSON.stringify([name, url, process.env.AWS_REGION])
  let client = clients.get(key)
  if (client === undefined) {
    client = createClient(name, url, source)
    if (clients.size >= MAX_CLIENTS) clients.delete(clients.keys().next().value as string)
    clients.set(key, client)
  }
  return client
}

function createClient(name: string, url: string | undefined, source: string): ServiceClient {
  try {
    return createServices({ services: { [name]: { url: url || undefined } } })[name] as ServiceClient
  } catch (error) {
    // Which is all that it throws.
    const { problems } = error as ServicesConfigurationError
    throw new ServicesConfigurationError(problems.map((problem) => problem.replace(`services.${name}.url`, source)))
  }
}

/** Named after where it is, so that errors of several of them can be told apart. */
function clientAt(apiUrl: string): ServiceClient {
  if (!apiUrl) throw new ServicesConfigurationError(['apiUrl: API Gateway URL not set'])
  return clientOf(URL.canParse(apiUrl) ? nameAt(new URL(apiUrl)) : 'api', apiUrl, 'apiUrl')
}

function nameAt({ host, pathname }: URL): string {
  return `api ${host}${pathname}`
}

/** Longest delay that an answer may ask for, in milliseconds: as long as an attempt may take. */
const MAX_ASKED_DELAY = 30_000

/** Milliseconds to wait before a retry; undefined where there must be none. */
function delayOf(error: unknown, backOff: number): number | undefined {
  const jittered = Math.random() * backOff
  if (error instanceof ServiceNetworkError) return jittered
  if (!(error instanceof ServiceResponseError) || !STATUS_CODES.includes(error.status)) return undefined
  if (error instanceof ServiceThrottledError && error.quota) return undefined
  const asked = readRetryAfter(error.headers) ?? jittered
  return asked <= Math.max(MAX_ASKED_DELAY, jittered) ? asked : undefined
}

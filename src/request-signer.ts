import {
  type CallOptions,
  CircuitBreaker as Circuit,
  createServices,
  outcomeOf,
  type ServiceClient,
  STATUS_CODES,
} from './client/index.ts'
import { type CircuitBreakerOptions, defaults, MAX_TIMER_MS, toVariable } from './config/index.ts'
import {
  messageOf,
  readRetryAfter,
  ServiceError,
  ServiceNetworkError,
  ServiceResponseError,
  ServicesConfigurationError,
  ServiceThrottledError,
  URL_NOT_SET,
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
export type { CircuitBreakerOptions }

/** `GET`, `POST`, `PUT`, `PATCH`, `DELETE` or `HEAD`, in any case. */
export type HttpMethod = string

/** Query parameters, which are added to those of the path. Undefined values are left out. */
export type QueryParams = Readonly<Record<string, string | number | boolean | undefined>>

/** Options of one call. */
export interface InvokeOptions {
  /**
   * Milliseconds that an attempt may take, headers and body together.
   * @default 30_000
   */
  readonly timeout?: number | undefined
  /** Aborts the call. The call rejects with the signal's reason. Default: none. */
  readonly signal?: AbortSignal | undefined
  /** Additional headers of the request. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** A request of a batch. The members are the parameters of `invokeApiGateway`. */
export interface BatchRequest {
  /** Base URL, stage included. */
  readonly apiUrl: string
  /** HTTP method, in any case. */
  readonly method: HttpMethod
  /** Path below `apiUrl`. */
  readonly path: string
  /** Sent as JSON. Bytes, forms and streams are sent as they are. A string must be encoded JSON. */
  readonly body?: unknown
  /** Query parameters, which are added to those of the path. */
  readonly queryParams?: QueryParams | undefined
  /** Timeout, signal and headers of this request. */
  readonly options?: InvokeOptions | undefined
}

/** Options of `batchInvokeApiGateway`. */
export interface BatchOptions {
  /**
   * Number of requests that run at the same time, at least 1.
   * @default 10
   */
  readonly concurrency?: number | undefined
}

/** Function that calls one service. */
export interface InvokeService {
  /**
   * Calls the service. Resolves with the response's JSON, or with undefined for an empty response.
   * @param path Path below the service's base URL, with or without a leading slash.
   * @param method HTTP method, in any case; GET by default.
   * @param body Sent as JSON. Bytes, forms and streams are sent as they are. A string must be encoded JSON. Undefined
   * and null: no body.
   * @param queryParams Query parameters, which are added to those of the path. Undefined values are left out.
   * @param options Timeout, signal and headers of this call.
   * @throws ServicesConfigurationError as the promise's rejection, if the variable with the URL is missing or invalid.
   * Each call reads the variable.
   * @throws ServiceError as the promise's rejection
   */
  // biome-ignore lint/style/useShorthandFunctionType: editors show the doc comment of a call signature, not of a type
  <T = unknown>(
    path: string,
    method?: HttpMethod,
    body?: unknown,
    queryParams?: QueryParams,
    options?: InvokeOptions,
  ): Promise<T>
}

/** Some requests of a batch failed. `results` has the results of the others. */
export class BatchInvokeError extends Error {
  /** Name of the class, also where a bundler renames the class. */
  override readonly name: string = 'BatchInvokeError'
  /** Stable: `ERR_BATCH_INVOKE`. */
  readonly code: 'ERR_BATCH_INVOKE' = 'ERR_BATCH_INVOKE'
  /** Results in the order of the requests. Undefined for failed requests. */
  readonly results: readonly unknown[]
  /** The errors, in the order of the requests. */
  readonly errors: readonly unknown[]
  /** Indexes of the failed requests, in the same order. */
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
 * Sends a signed request below `apiUrl`. Resolves with the response's JSON, or with undefined for an empty response.
 * The body is sent as JSON. Bytes, forms and streams are sent as they are. A string must be encoded JSON.
 * @param apiUrl Base URL, stage included.
 * @param method HTTP method, in any case.
 * @param path Path below `apiUrl`, with or without a leading slash.
 * @param body Undefined and null: no body.
 * @param queryParams Query parameters, which are added to those of the path. Undefined values are left out.
 * @param options Timeout, signal and headers of this call.
 * @throws ServicesConfigurationError as the promise's rejection, for an invalid `apiUrl`
 * @throws ServiceError as the promise's rejection
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
 * Like `invokeApiGateway`, with up to `maxRetries` retries on 408, 429, 500, 502, 503, 504 and network errors, for
 * every method. Use it only if running the request twice does no harm. A retry waits as long as the response asks. If
 * that is more than 30 seconds, the call fails at once. If the response asks for no delay, the retry waits up to
 * `baseDelay * 2^n` milliseconds.
 * @param apiUrl Base URL, stage included.
 * @param method HTTP method, in any case.
 * @param path Path below `apiUrl`, with or without a leading slash.
 * @param body Undefined and null: no body. A stream is first read into memory.
 * @param queryParams Query parameters, which are added to those of the path. Undefined values are left out.
 * @param maxRetries Number of retries, 3 by default.
 * @param baseDelay Longest wait of the first retry in milliseconds, 1000 by default.
 * @throws TypeError as the promise's rejection, for a number that is negative or not finite
 * @throws ServicesConfigurationError as the promise's rejection, for an invalid `apiUrl`
 * @throws ServiceError as the promise's rejection: the last error. Its `attempts` counts all requests
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
  // A stream can be read only once.
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
 * Sends requests in parallel, at most `concurrency` at the same time. Resolves with their results, in order.
 * @param requests The parameters of `invokeApiGateway` for each request.
 * @param options Number of parallel requests.
 * @throws TypeError as the promise's rejection, for a `concurrency` below 1
 * @throws BatchInvokeError as the promise's rejection, after all requests have ended, if any of them failed
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

/** Async, so that an invalid request fails alone. */
async function invokeRequest(requests: readonly BatchRequest[], index: number): Promise<unknown> {
  const { apiUrl, method, path, body, queryParams, options } = requests[index] as BatchRequest
  return invokeApiGateway(apiUrl, method, path, body, queryParams, options)
}

function invokeService(name: string): InvokeService {
  const variable = toVariable(name)
  return (path, method = 'GET', body, queryParams, options = {}) =>
    invoke(() => clientOf(name, process.env[variable], variable), method, path, body, queryParams, options)
}

/** Returns the client's own promise: if it is never awaited, its failure is logged and does not end the process. */
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
      // Stryker disable next-line ConditionalExpression: ky ignores an undefined timeout.
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
    // A string is encoded JSON, as in hand-written signers.
    return { body, headers: { 'content-type': 'application/json', ...headers } }
  }
  const isEncoded = [ArrayBuffer, Blob, FormData, ReadableStream, URLSearchParams].some((type) => body instanceof type)
  return isEncoded || ArrayBuffer.isView(body) ? { body: body as NonNullable<CallOptions['body']> } : { json: body }
}

/** Clients live as long as the execution environment, and so do their retry budget, clock and credentials. */
const clients = new Map<string, ServiceClient>()
const MAX_CLIENTS = 100

/** `source` is the variable or parameter with the URL, for messages. */
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
    // `createServices` throws no other error.
    const { problems } = error as ServicesConfigurationError
    throw new ServicesConfigurationError(problems.map((problem) => problem.replace(`services.${name}.url`, source)))
  }
}

/** The client's name contains the URL, so that errors of several APIs are distinguishable. */
function clientAt(apiUrl: string): ServiceClient {
  if (!apiUrl) throw new ServicesConfigurationError([`apiUrl: ${URL_NOT_SET}`])
  return clientOf(URL.canParse(apiUrl) ? nameAt(new URL(apiUrl)) : 'api', apiUrl, 'apiUrl')
}

function nameAt({ host, pathname }: URL): string {
  return `api ${host}${pathname}`
}

/** Longest delay that a response may ask for, in milliseconds: the default timeout of an attempt. */
const MAX_ASKED_DELAY = defaults.timeout

/** Milliseconds to wait before a retry. Undefined if the error must not be retried. */
function delayOf(error: unknown, backOff: number): number | undefined {
  const jittered = Math.random() * backOff
  if (error instanceof ServiceNetworkError) return jittered
  if (!(error instanceof ServiceResponseError) || !STATUS_CODES.includes(error.status)) return undefined
  if (error instanceof ServiceThrottledError && error.quota) return undefined
  const asked = readRetryAfter(error.headers) ?? jittered
  return asked <= Math.max(MAX_ASKED_DELAY, jittered) ? asked : undefined
}

/**
 * Stops calls to a failing service. A closed circuit lets all calls pass. After `failureThreshold` consecutive failures, it
 * opens and lets none pass. After `resetTimeout`, it is half-open, and one call at a time may probe the service.
 */
export class CircuitBreaker extends Circuit {
  /**
   * `now` returns milliseconds of a monotonic clock.
   * @throws RangeError for options that are not above 0
   */
  constructor(options: CircuitBreakerOptions = {}, now?: () => number) {
    for (const name of ['failureThreshold', 'resetTimeout'] as const) {
      if (!((options[name] ?? 1) > 0)) throw new RangeError(`Option '${name}' must be > 0`)
    }
    super(options, now)
  }

  /**
   * Runs `call` unless the circuit is open. Server errors, network errors, timeouts and errors of other code count as
   * failures. Aborts by the caller, the invocation's deadline and responses with a status below 500 do not count. Every
   * value that `call` resolves with counts as a success, also a `Response` of any status.
   * @param call Function to run, at most once.
   * @throws CircuitOpenError if the circuit is open, else the error of `call`
   */
  async execute<T>(call: () => Promise<T> | T): Promise<T> {
    const permit = this.acquire({ service: 'circuit breaker', method: 'CALL', path: '/', attempts: 0 })
    try {
      const result = await call()
      permit('success')
      return result
    } catch (error) {
      permit(outcomeOf(error))
      throw error
    }
  }
}

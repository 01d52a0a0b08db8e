import ky, { type Input, type KyInstance, type Options, type ResponsePromise } from 'ky'
import { copyRetry, type ServiceConfig } from '../config/index.ts'
import { redactMessage } from '../errors/index.ts'
import { readRequest } from '../signing/index.ts'
import { finishOptions, mergeOptions, normalizeCallOptions } from './call-options.ts'
import { type Invocation, ServiceCall, type ServiceState } from './service-call.ts'

/**
 * ky's options without `fetch`, `prefix` and `baseUrl`. `timeout` is in milliseconds, for headers and body of one
 * attempt together. False: only the invocation's deadline limits the attempt. `retry` can only narrow the rules of the
 * package.
 * @see https://github.com/sindresorhus/ky#options
 */
export type CallOptions = Omit<Options, 'fetch' | 'prefix' | 'baseUrl'>

/**
 * Starts a call with a fixed method. `input` is a path below the service's base URL, or a `URL` or `Request` below it.
 * Rejects with a `ServiceError`, with the caller's own abort reason, or with ky's `SchemaValidationError`.
 */
export type CallMethod = <T = unknown>(input: Input, options?: CallOptions) => ResponsePromise<T>

/**
 * A ky client of one service. It sends every call below the base URL, signed, with the trace, and within the deadline.
 */
export interface ServiceClient {
  /**
   * Starts a call with the method of the options or of a `Request`, by default GET.
   * @param input A path below the base URL, with or without a leading slash, or a `URL` or `Request` below it.
   * @param options ky's options for this call.
   * @throws ServiceError as the promise's rejection
   */
  <T = unknown>(input: Input, options?: CallOptions): ResponsePromise<T>
  /** Sends a GET; retried on temporary failures. */
  readonly get: CallMethod
  /** Sends a POST; retried only if the request cannot have run, or with an `idempotency-key` header. */
  readonly post: CallMethod
  /** Sends a PUT; retried on temporary failures. */
  readonly put: CallMethod
  /** Sends a PATCH; retried only if the request cannot have run, or with an `idempotency-key` header. */
  readonly patch: CallMethod
  /** Sends a DELETE; retried on temporary failures. */
  readonly delete: CallMethod
  /** Sends a HEAD; retried on temporary failures. */
  readonly head: CallMethod
  /**
   * Creates a client with more default options, which ky merges. Signing, URL checks, deadline and errors stay the
   * same.
   */
  readonly extend: (options: CallOptions | ((parent: CallOptions) => CallOptions)) => ServiceClient
  /**
   * Like global `fetch`, with the client's signing, trace, deadline and URL checks. A relative input is joined to the
   * base URL, an absolute one must be below it. Resolves for every status, never retries, and rejects with a
   * `ServiceError`.
   */
  readonly fetch: typeof globalThis.fetch
  /** The base URL. Empty if the URL of an optional service is not set. */
  readonly url: string
  /** The service's name, as in `context.services`. */
  readonly name: string
}

/** Creates the client of one service for an invocation. */
export type ClientMaker = (invocation: Invocation) => ServiceClient

/** Prepares the default options of a service's clients. */
export function createClientMaker(service: ServiceConfig, state: ServiceState): ClientMaker {
  const { headers, retry } = service
  const defaults = ky.create({ headers, ...(retry !== undefined && { retry: copyRetry(retry) }) })
  return (invocation) => createClient(service, state, invocation, defaults)
}

function createClient(
  service: ServiceConfig,
  state: ServiceState,
  invocation: Invocation,
  defaults: KyInstance,
): ServiceClient {
  const send = <T>(input: Input, given?: CallOptions, method?: string): ResponsePromise<T> => {
    const call = new ServiceCall(service, state, invocation)
    return call.runKy(() => {
      call.setMethod(method ?? given?.method ?? (input instanceof Request ? input.method : undefined))
      const options = normalizeCallOptions(given)
      const target = call.resolveUrl(input)
      const merged = mergeOptions(defaults, method === undefined ? options : { ...options, method })
      return ky(target, finishOptions(call, merged, target))
    }) as ResponsePromise<T>
  }
  let forFetch: Options | undefined
  const withMethod =
    (method: string): CallMethod =>
    (input, options) =>
      send(input, options, method)

  const client = <T>(input: Input, options?: CallOptions) => send<T>(input, options)
  Object.defineProperty(client, 'name', { value: service.name })
  return Object.assign(client, {
    get: withMethod('get'),
    post: withMethod('post'),
    put: withMethod('put'),
    patch: withMethod('patch'),
    delete: withMethod('delete'),
    head: withMethod('head'),
    extend: ((options) =>
      createClient(service, state, invocation, extend(defaults, options))) satisfies ServiceClient['extend'],
    fetch: ((input, init) => {
      const call = new ServiceCall(service, state, invocation)
      forFetch ??= mergeOptions(defaults)
      return call.run(async () => sendFetch(call, forFetch as Options, input, init ?? {}))
    }) satisfies ServiceClient['fetch'],
    url: service.base?.href ?? '',
  })
}

function sendFetch(
  call: ServiceCall,
  { headers, signal, timeout, totalTimeout }: Options,
  input: string | URL | Request,
  init: RequestInit,
): Promise<Response> {
  call.setMethod(init.method)
  const target = call.resolveUrl(input, { absolute: true })
  const request = readRequest(target, init)
  for (const [name, value] of new Headers(headers as Record<string, string>)) {
    if (!request.headers.has(name)) request.headers.set(name, value)
  }
  const own = init.signal ?? (target instanceof Request ? target.signal : undefined)
  call.startBounds({ signal: signal && own ? AbortSignal.any([signal, own]) : (signal ?? own), timeout, totalTimeout })
  return call.send(request)
}

function extend(defaults: KyInstance, options: CallOptions | ((parent: CallOptions) => CallOptions)): KyInstance {
  try {
    if (typeof options !== 'function') return defaults.extend(normalizeCallOptions(options))
    // The first `extend` copies the options that the function may change, except `retry`.
    return defaults.extend({}).extend((parent) => {
      const copy = { ...parent, ...(parent.retry !== undefined && { retry: copyRetry(parent.retry) }) }
      return normalizeCallOptions(options(copy))
    })
  } catch (error) {
    // An error of `Headers` quotes the invalid header value.
    throw error instanceof TypeError ? new TypeError(redactMessage(error.message, new Set())) : error
  }
}

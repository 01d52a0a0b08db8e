import ky, { type Input, type KyInstance, type Options, type ResponsePromise } from 'ky'
import { copyRetry, type ServiceConfig } from '../config/index.ts'
import { redactMessage } from '../errors/index.ts'
import { readRequest } from '../signing/index.ts'
import { finishOptions, mergeOptions, normalizeCallOptions } from './call-options.ts'
import { type Invocation, ServiceCall, type ServiceState } from './service-call.ts'

/**
 * ky's options, without those that say where a call goes and who sends it. `timeout` is in milliseconds, for headers and
 * body of one attempt together; false leaves only the invocation's deadline. `retry` narrows the rules of the package.
 * @see https://github.com/sindresorhus/ky#options
 */
export type CallOptions = Omit<Options, 'fetch' | 'prefix' | 'baseUrl'>

/**
 * A call by method; `input` is a path below the service's base URL, or a `URL` or `Request` that lies there. Rejects with a
 * `ServiceError`, with the caller's own abort reason, or with ky's `SchemaValidationError`.
 */
export type CallMethod = <T = unknown>(input: Input, options?: CallOptions) => ResponsePromise<T>

/** A ky client of one service: every call goes to its base URL, signed, traced and bounded by the invocation. */
export interface ServiceClient {
  /**
   * Calls with the method that the options, or a `Request`, say; GET where they say none.
   * @param input A path below the base URL, with or without a leading slash, or a `URL` or `Request` that lies there.
   * @param options ky's, for this call.
   * @throws ServiceError, by the promise
   */
  <T = unknown>(input: Input, options?: CallOptions): ResponsePromise<T>
  /** Sends a GET; retried on failures that may pass. */
  readonly get: CallMethod
  /** Sends a POST; retried only where the request cannot have run, or with an `idempotency-key` header. */
  readonly post: CallMethod
  /** Sends a PUT; retried on failures that may pass. */
  readonly put: CallMethod
  /** Sends a PATCH; retried only where the request cannot have run, or with an `idempotency-key` header. */
  readonly patch: CallMethod
  /** Sends a DELETE; retried on failures that may pass. */
  readonly delete: CallMethod
  /** Sends a HEAD; retried on failures that may pass. */
  readonly head: CallMethod
  /** A client with more defaults, merged as ky does; signing, guards, deadline and errors stay. */
  readonly extend: (options: CallOptions | ((parent: CallOptions) => CallOptions)) => ServiceClient
  /**
   * `fetch` with the client's signing, trace, deadline and guards: relative inputs are joined to the base URL, absolute
   * ones must lie under it. Resolves for every status, retries nothing, rejects with a `ServiceError`.
   */
  readonly fetch: typeof globalThis.fetch
  /** The base URL; empty where an optional service's is not set. */
  readonly url: string
  /** The service's name, as in `context.services`. */
  readonly name: string
}

/** Makes the client of one service for an invocation. */
export type ClientMaker = (invocation: Invocation) => ServiceClient

/** Prepares what all clients of a service start from. */
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
  const send = <T>(input: Input, given?: CallOptions, byName?: string): ResponsePromise<T> => {
    const call = new ServiceCall(service, state, invocation)
    return call.runKy(() => {
      call.nameMethod(byName ?? given?.method ?? (input instanceof Request ? input.method : undefined))
      const options = normalizeCallOptions(given)
      const target = call.locate(input)
      const merged = mergeOptions(defaults, byName === undefined ? options : { ...options, method: byName })
      return ky(target, finishOptions(call, merged, target))
    }) as ResponsePromise<T>
  }
  let forFetch: Options | undefined
  const by =
    (method: string): CallMethod =>
    (input, options) =>
      send(input, options, method)

  // Named by its key, as functions are.
  const { [service.name]: client } = {
    [service.name]: <T>(input: Input, options?: CallOptions) => send<T>(input, options),
  }
  return Object.assign(client as typeof send, {
    get: by('get'),
    post: by('post'),
    put: by('put'),
    patch: by('patch'),
    delete: by('delete'),
    head: by('head'),
    extend: ((options) =>
      createClient(service, state, invocation, extend(defaults, options))) satisfies ServiceClient['extend'],
    fetch: ((input, init) => {
      const call = new ServiceCall(service, state, invocation)
      forFetch ??= mergeOptions(defaults)
      return call.run(async () => sendFetch(call, forFetch as Options, input, init))
    }) satisfies ServiceClient['fetch'],
    url: service.base?.href ?? '',
  })
}

function sendFetch(
  call: ServiceCall,
  { headers, timeout }: Options,
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<Response> {
  call.nameMethod(init?.method)
  const target = call.locate(input, { absolute: true })
  const request = readRequest(target, init)
  for (const [name, value] of new Headers(headers as Record<string, string>)) {
    if (!request.headers.has(name)) request.headers.set(name, value)
  }
  call.bound({ signal: init?.signal ?? (target instanceof Request ? target.signal : undefined), timeout })
  return call.send(request)
}

function extend(defaults: KyInstance, options: CallOptions | ((parent: CallOptions) => CallOptions)): KyInstance {
  try {
    if (typeof options !== 'function') return defaults.extend(normalizeCallOptions(options))
    // The first `extend` copies what such a function may change, but for `retry`.
    return defaults.extend({}).extend((parent) => {
      const copy = { ...parent, ...(parent.retry !== undefined && { retry: copyRetry(parent.retry) }) }
      return normalizeCallOptions(options(copy))
    })
  } catch (error) {
    // That of `Headers` quotes the value that no header can hold.
    throw error instanceof TypeError ? new TypeError(redactMessage(error.message, new Set())) : error
  }
}

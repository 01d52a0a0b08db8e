import ky, { type Input, type KyInstance, type Options, type ResponsePromise } from 'ky'
import type { ServiceConfig } from '../config/resolve-config.ts'
import { readOutgoing } from '../signing/request-body.ts'
import { sendAttempt } from './attempt.ts'
import { checkTimeout, normalizeCallOptions, sealOptions } from './ky-options.ts'
import { resolveTarget } from './request-url.ts'
import { copyRetry } from './retry-policy.ts'
import { type Invocation, openBounds, openCall, type ServiceRuntime } from './service-call.ts'
import { settle, settleKy } from './settle.ts'

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

/** What can be done before an invocation is known is done once. */
export function createClientMaker(service: ServiceConfig, runtime: ServiceRuntime): ClientMaker {
  const { headers, retry } = service
  const own = { instance: ky.create({ headers, ...(retry !== undefined && { retry: copyRetry(retry) }) }) }
  return (invocation) => createClient(service, runtime, own, invocation)
}

function createClient(
  service: ServiceConfig,
  runtime: ServiceRuntime,
  own: Defaults,
  invocation: Invocation,
): ServiceClient {
  const callKy = ({ instance }: Defaults, input: Input, options?: Options, method?: string) => {
    const call = openCall(service, invocation)
    return settleKy(call, runtime, invocation, () => {
      const wanted = normalizeCallOptions(options)
      call.method = String(method ?? wanted.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase()
      const { base, target } = resolveTarget(service, call, input)
      // Merged last, and the last hook to see the options: nothing that the caller sets comes after it.
      const init = (merged: Options) =>
        sealOptions(merged, call, target, runtime.quota, (bounds, outgoing) =>
          sendAttempt(runtime, base, call, bounds, outgoing),
        )
      const last = { ...(method && { method }), hooks: { init: [init] } }
      // Stryker disable next-line ConditionalExpression: extending does for every call, at a higher cost.
      return wanted.hooks === undefined
        ? instance(target, { ...wanted, ...last })
        : instance.extend(wanted)(target, last)
    })
  }

  const sendFetch = (defaults: Defaults, input: string | URL | Request, init?: RequestInit) => {
    const call = openCall(service, invocation)
    return settle(call, runtime, invocation, () => {
      call.method = init?.method?.toUpperCase() ?? 'GET'
      const { headers, timeout = service.timeout } = readForFetch(defaults)
      call.timeout = checkTimeout(call, timeout)
      const { base, target } = resolveTarget(service, call, input, { absolute: true })
      const request = readOutgoing(target, init)
      call.method = request.method
      for (const [name, value] of headers) {
        if (!request.headers.has(name)) request.headers.set(name, value)
      }
      const bounds = openBounds(call, init?.signal ?? (target instanceof Request ? target.signal : undefined))
      return sendAttempt(runtime, base, call, bounds, request)
    })
  }

  const wrap = (defaults: Defaults): ServiceClient => {
    const call: CallMethod = (input, options) => callKy(defaults, input, options)
    const by =
      (method: string): CallMethod =>
      (input, options) =>
        callKy(defaults, input, options, method)
    // All in one piece: members that a function is given one by one cost V8 twice the time, and outlive it in old space.
    const client = Object.assign(call, {
      get: by('get'),
      post: by('post'),
      put: by('put'),
      patch: by('patch'),
      delete: by('delete'),
      head: by('head'),
      extend: ((options) => wrap(extend(defaults, options))) satisfies ServiceClient['extend'],
      fetch: ((input, init) => sendFetch(defaults, input, init)) satisfies ServiceClient['fetch'],
      url: service.base?.href ?? '',
    })
    return Object.defineProperty(client, 'name', { value: service.name, enumerable: true })
  }
  return wrap(own)
}

/** What clients start from: the service's own options, and what they were extended with; nothing of an invocation. */
interface Defaults {
  readonly instance: KyInstance
  /** The part that `.fetch` knows, once it was asked for. */
  forFetch?: FetchDefaults
}

interface FetchDefaults {
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly timeout: number | false | undefined
}

function extend({ instance }: Defaults, options: CallOptions | ((parent: CallOptions) => CallOptions)): Defaults {
  if (typeof options !== 'function') return { instance: instance.extend(normalizeCallOptions(options)) }
  // A copy, which such a function may change: what it is made of is every invocation's. ky itself copies all but `retry`.
  const copyOf = ({ retry, ...parent }: Options) => ({
    ...parent,
    ...(retry !== undefined && { retry: copyRetry(retry) }),
  })
  return { instance: instance.extend({}).extend((parent) => normalizeCallOptions(options(copyOf(parent)))) }
}

/** What ky tells only to a function given to `extend`. */
function readForFetch(defaults: Defaults): FetchDefaults {
  // Stryker disable next-line ConditionalExpression: asked each time, ky says the same.
  if (defaults.forFetch === undefined) {
    defaults.instance.extend(({ headers, timeout }) => {
      defaults.forFetch = { headers: [...new Headers(headers as Record<string, string>)], timeout }
      return {}
    })
  }
  return defaults.forFetch as FetchDefaults
}

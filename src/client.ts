import ky, { type Input, type KyInstance, type Options, type ResponsePromise } from 'ky'
import { sendAttempt } from './attempt.ts'
import { type Invocation, openBounds, openCall, type ServiceRuntime } from './call.ts'
import type { ServiceConfig } from './config.ts'
import { checkTimeout, normalizeCallOptions, sealOptions } from './ky-options.ts'
import { readOutgoing } from './outgoing.ts'
import { copyRetry } from './retry.ts'
import { settle, settleKy } from './settle.ts'
import { resolveTarget } from './target.ts'

/** ky's options, without those that say where a call goes and who sends it. */
export type CallOptions = Omit<Options, 'fetch' | 'prefix' | 'baseUrl'>

/** A call by method; `input` is a path below the service's base URL, or a `URL` or `Request` that lies there. */
export type CallMethod = <T = unknown>(input: Input, options?: CallOptions) => ResponsePromise<T>

/** A ky client of one service: every call goes to its base URL, signed, traced and bounded by the invocation. */
export interface ServiceClient {
  <T = unknown>(input: Input, options?: CallOptions): ResponsePromise<T>
  readonly get: CallMethod
  readonly post: CallMethod
  readonly put: CallMethod
  readonly patch: CallMethod
  readonly delete: CallMethod
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
  readonly name: string
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head'] as const

/** The client of one service for one invocation. */
export function createClient(service: ServiceConfig, runtime: ServiceRuntime, invocation: Invocation): ServiceClient {
  const callKy = (instance: KyInstance, input: Input, options?: Options, method?: string) => {
    const call = openCall(service, invocation)
    return settleKy(call, runtime, invocation, () => {
      const own = normalizeCallOptions(options)
      call.method = String(method ?? own.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase()
      const { base, target } = resolveTarget(service, call, input)
      // Merged last, and the last hook to see the options: nothing that the caller sets comes after it.
      const init = (merged: Options) =>
        sealOptions(merged, call, target, runtime.quota, (bounds, outgoing) =>
          sendAttempt(runtime, base, call, bounds, outgoing),
        )
      const last = { ...(method && { method }), hooks: { init: [init] } }
      return own.hooks === undefined ? instance(target, { ...own, ...last }) : instance.extend(own)(target, last)
    })
  }

  /** With the headers and the timeout of the client that it belongs to. */
  const createFetch =
    ({ headers, timeout = service.timeout }: Options): typeof globalThis.fetch =>
    (input, init) => {
      const call = openCall(service, invocation)
      return settle(call, runtime, invocation, () => {
        call.method = init?.method?.toUpperCase() ?? 'GET'
        call.timeout = checkTimeout(call, timeout)
        const { base, target } = resolveTarget(service, call, input, { absolute: true })
        const request = readOutgoing(target, init)
        call.method = request.method
        for (const [name, value] of new Headers(headers as Record<string, string>)) {
          if (!request.headers.has(name)) request.headers.set(name, value)
        }
        const bounds = openBounds(call, init?.signal ?? (target instanceof Request ? target.signal : undefined))
        return sendAttempt(runtime, base, call, bounds, request)
      })
    }

  const wrap = (instance: KyInstance): ServiceClient => {
    const client = (input: Input, options?: Options) => callKy(instance, input, options)
    for (const method of METHODS) {
      Object.assign(client, { [method]: (input: Input, options?: Options) => callKy(instance, input, options, method) })
    }
    const extend = (options: Options | ((parent: Options) => Options)) =>
      wrap(
        instance.extend(
          typeof options === 'function'
            ? (parent) => normalizeCallOptions(options(parent))
            : normalizeCallOptions(options),
        ),
      )
    Object.assign(client, { extend, fetch: createFetch(readDefaults(instance)), url: service.base?.href ?? '' })
    return Object.defineProperty(client, 'name', { value: service.name, enumerable: true }) as ServiceClient
  }
  const { headers, retry } = service
  return wrap(ky.create({ headers, ...(retry !== undefined && { retry: copyRetry(retry) }) }))
}

/** What an instance was created and extended with, which ky tells only to a function given to `extend`. */
function readDefaults(instance: KyInstance): Options {
  let defaults: Options = {}
  instance.extend((merged) => {
    defaults = merged
    return {}
  })
  return defaults
}

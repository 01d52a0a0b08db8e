import ky, { type Input, type KyInstance, type Options, type ResponsePromise } from 'ky'
import { unlessAborted } from './abort.ts'
import { sendAttempt } from './attempt.ts'
import { type Call, type Invocation, openBounds, openCall } from './call.ts'
import type { ServiceConfig } from './config.ts'
import { callFailure } from './failure.ts'
import { checkTimeout, normalizeCallOptions, sealOptions } from './ky-options.ts'
import { copyRetry } from './retry.ts'
import type { SendSigned } from './signed-fetch.ts'
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
const BODY_METHODS = ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'bytes'] as const

/** The client of one service for one invocation. */
export function createClient(service: ServiceConfig, send: SendSigned, invocation: Invocation): ServiceClient {
  const callKy = (instance: KyInstance, input: Input, options?: Options, method?: string) => {
    const call = openCall(service, invocation)
    return settle(call, () => {
      const own = normalizeCallOptions(options)
      call.method = String(method ?? own.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase()
      const { base, target } = resolveTarget(service, call, input)
      // Merged last, and the last hook to see the options: nothing that the caller sets comes after it.
      const init = (merged: Options) =>
        sealOptions(merged, call, target, (bounds, request, rest) =>
          sendAttempt(send, base, call, bounds, request, rest),
        )
      return instance.extend(own)(target, { ...(method && { method }), hooks: { init: [init] } })
    })
  }

  /** With the headers and the timeout of the client that it belongs to. */
  const createFetch =
    ({ headers, timeout = service.timeout }: Options): typeof globalThis.fetch =>
    async (input, init) => {
      const call = openCall(service, invocation)
      try {
        call.method = init?.method?.toUpperCase() ?? 'GET'
        call.timeout = checkTimeout(call, timeout)
        const { base, target } = resolveTarget(service, call, input, { absolute: true })
        // The bounds follow the signal; a Request would not let go of it.
        const request = new Request(target, { ...init, signal: null })
        for (const [name, value] of new Headers(headers as Record<string, string>)) {
          if (!request.headers.has(name)) request.headers.set(name, value)
        }
        const bounds = openBounds(call, init?.signal ?? (target instanceof Request ? target.signal : undefined))
        const release = bounds.hold()
        try {
          return await sendAttempt(send, base, call, bounds, request, init)
        } finally {
          release()
        }
      } catch (error) {
        throw callFailure(error, call)
      }
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

/** ky's promise within the call's bounds and with its errors, the same from the promise and from its body methods. */
function settle<T>(call: Call, start: () => ResponsePromise<T>): ResponsePromise<T> {
  let inner: ResponsePromise<T>
  try {
    inner = start()
  } catch (error) {
    inner = Promise.reject(error) as ResponsePromise<T>
  }
  const { bounds } = call
  const release = bounds?.hold()
  // Hooks are asked to wait for as well, and may never answer.
  const withinBounds = <V>(promise: Promise<V>) =>
    bounds === undefined ? promise : unlessAborted(promise, bounds.signal)
  let last: { error: unknown; failure: unknown } | undefined
  const fail = (error: unknown): never => {
    if (last?.error !== error || last === undefined) last = { error, failure: callFailure(error, call) }
    throw last.failure
  }
  const outer = withinBounds(inner).finally(release).catch(fail) as ResponsePromise<T>
  const readBody = (method: (typeof BODY_METHODS)[number], schema: unknown) => {
    // Whoever reads the body hears of the failure there.
    outer.catch(() => {})
    const read = inner[method] as ((schema: unknown) => Promise<unknown>) | undefined
    return withinBounds(read === undefined ? inner : read(schema)).catch(fail)
  }
  for (const method of BODY_METHODS) Object.assign(outer, { [method]: (schema?: unknown) => readBody(method, schema) })
  return outer
}

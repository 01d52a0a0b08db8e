import ky, { type Input, type KyInstance, type Options, type ResponsePromise } from 'ky'
import { type Call, sendAttempt } from './attempt.ts'
import { type BaseUrl, isAbsolute, joinToBase, outsideBase } from './base-url.ts'
import type { ServiceConfig } from './config.ts'
import type { Deadline } from './deadline.ts'
import { ServiceRequestError, ServicesConfigurationError } from './errors.ts'
import { callFailure, notJsonError } from './failure.ts'
import { narrowRetry } from './retry.ts'
import type { SendSigned } from './signed-fetch.ts'

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

/** What belongs to one invocation, and to nothing that outlives it. */
export interface Invocation {
  readonly deadline?: Deadline | undefined
  readonly readTrace: () => string | undefined
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head'] as const
const BODY_METHODS = ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'bytes'] as const

type OpenCall = { -readonly [K in keyof Call]: Call[K] }

/** The client of one service for one invocation. */
export function createClient(service: ServiceConfig, send: SendSigned, invocation: Invocation): ServiceClient {
  const { deadline } = invocation

  const begin = (method = 'GET'): OpenCall => ({
    service: service.name,
    method: method.toUpperCase(),
    path: '/',
    attempts: 0,
    secrets: new Set(),
    timeout: service.timeout,
    trace: invocation.readTrace(),
    signal: undefined,
    deadline,
    budget: deadline?.remaining() ?? 0,
  })

  const callKy = (instance: KyInstance, input: Input, options: Options = {}, method?: string) => {
    const call = begin(method ?? options.method)
    return settle(call, () => {
      const { base, target } = resolveTarget(service, call, input)
      // Merged last, and the last hook to see the options: nothing that the caller sets comes after it.
      const init = (merged: Options) =>
        sealOptions(merged, call, target, (request, rest) => sendAttempt(send, base, call, request as Request, rest))
      return instance.extend(options)(target, { ...(method && { method }), hooks: { init: [init] } })
    })
  }

  const rawFetch: typeof globalThis.fetch = async (input, init) => {
    const call = begin(init?.method)
    try {
      const { base, target } = resolveTarget(service, call, input, { absolute: true })
      const request = new Request(target, init)
      call.method = request.method
      call.signal = init?.signal ?? (target instanceof Request ? target.signal : undefined)
      for (const [name, value] of Object.entries(service.headers)) {
        if (!request.headers.has(name)) request.headers.set(name, value)
      }
      return await sendAttempt(send, base, call, request, init)
    } catch (error) {
      throw callFailure(error, call)
    }
  }

  const wrap = (instance: KyInstance): ServiceClient => {
    const client = (input: Input, options?: Options) => callKy(instance, input, options)
    for (const method of METHODS) {
      Object.assign(client, { [method]: (input: Input, options?: Options) => callKy(instance, input, options, method) })
    }
    const extend = (options: Options | ((parent: Options) => Options)) => wrap(instance.extend(options))
    Object.assign(client, { extend, fetch: rawFetch, url: service.base?.href ?? '' })
    return Object.defineProperty(client, 'name', { value: service.name, enumerable: true }) as ServiceClient
  }
  return wrap(ky.create({ headers: service.headers, ...(service.retry !== undefined && { retry: service.retry }) }))
}

/** Where a call goes, checked before anything is read or signed. */
function resolveTarget(
  { base, missing }: ServiceConfig,
  call: OpenCall,
  input: unknown,
  allow: { absolute?: boolean } = {},
): { base: BaseUrl; target: URL | Request } {
  const refuse = (problem: string) => new ServiceRequestError(call, problem)
  const isPath = typeof input === 'string' && !isAbsolute(input)
  if (isPath) call.path = `/${input.replace(/^\/+|[?#].*$/gs, '')}`
  if (base === undefined) {
    throw new ServiceRequestError(call, missing, { cause: new ServicesConfigurationError([missing]) })
  }
  let url: URL | null
  if (isPath) {
    url = joinToBase(base, input)
  } else if (typeof input === 'string') {
    if (!allow.absolute) throw refuse(`an absolute URL is not a path below ${base.href}`)
    url = URL.parse(input)
    if (url === null) throw refuse('the input is not a URL')
  } else if (input instanceof URL || input instanceof Request) {
    url = new URL(input instanceof URL ? input : input.url)
  } else {
    throw refuse('the input must be a path, a URL or a Request')
  }
  const outside = outsideBase(base, url)
  if (outside !== undefined) throw refuse(outside)
  call.path = url.pathname.slice(base.path.length) || '/'
  return { base, target: input instanceof Request ? input : url }
}

/** Puts what the package promises in place of whatever the caller, `.extend` or a hook has set. */
function sealOptions(
  options: Options,
  call: OpenCall,
  target: URL | Request,
  fetch: NonNullable<Options['fetch']>,
): void {
  const { timeout, totalTimeout, parseJson = (text: string) => JSON.parse(text), throwHttpErrors = true } = options
  if (timeout !== undefined) {
    if (timeout !== false && !(timeout > 0))
      throw new ServiceRequestError(call, 'the timeout must be false or above 0 ms')
    call.timeout = timeout
  }
  if (totalTimeout) call.totalTimeout = totalTimeout
  call.method = (options.method ?? (target instanceof Request ? target.method : 'GET')).toUpperCase()
  call.signal = options.signal ?? (target instanceof Request ? target.signal : undefined)
  const signals = [call.signal, call.deadline?.signal].filter((signal) => signal !== undefined)

  options.fetch = fetch as NonNullable<Options['fetch']>
  options.prefix = ''
  delete options.baseUrl
  // The attempt keeps its own time, for headers and body together.
  options.timeout = false
  options.retry = narrowRetry(options.retry)
  if (signals.length > 0) options.signal = AbortSignal.any(signals)
  options.parseJson = (text, context) => {
    if (text === '') return undefined
    try {
      return parseJson(text, context)
    } catch (cause) {
      const { ok, status } = context.response
      const isError = !ok && (typeof throwHttpErrors === 'function' ? throwHttpErrors(status) : throwHttpErrors)
      // An error's data is its text then; ky would drop it.
      if (isError) return text
      throw notJsonError(call, context.response, text, cause)
    }
  }
}

/** ky's promise with this package's errors, the same one from the promise and from its body methods. */
function settle<T>(call: Call, start: () => ResponsePromise<T>): ResponsePromise<T> {
  let inner: ResponsePromise<T>
  try {
    inner = start()
  } catch (error) {
    inner = Promise.reject(error) as ResponsePromise<T>
  }
  let last: { error: unknown; failure: unknown } | undefined
  const fail = (error: unknown): never => {
    if (last?.error !== error || last === undefined) last = { error, failure: callFailure(error, call) }
    throw last.failure
  }
  const outer = inner.catch(fail) as ResponsePromise<T>
  const readBody = (method: (typeof BODY_METHODS)[number], schema: unknown) => {
    // Whoever reads the body hears of the failure there.
    outer.catch(() => {})
    const read = inner[method] as ((schema: unknown) => Promise<unknown>) | undefined
    return (read === undefined ? inner : read(schema)).catch(fail)
  }
  for (const method of BODY_METHODS) Object.assign(outer, { [method]: (schema?: unknown) => readBody(method, schema) })
  return outer
}

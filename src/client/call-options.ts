import type { KyInstance, Options } from 'ky'
import { copyRetry, lowerCaseNames } from '../config/index.ts'
import { notJsonError, ServiceRequestError } from '../errors/index.ts'
import { fromRequest, type PlainBody, toPlainBody } from '../signing/index.ts'
import type { ServiceCall } from './service-call.ts'

/** Normalizes options so that ky merges them correctly: `retry` as an object, header names in lower case. */
export function normalizeCallOptions(options: Options | null | undefined): Options {
  const normalized = { ...options }
  if (typeof normalized.retry === 'number') normalized.retry = copyRetry(normalized.retry)
  const { headers } = normalized
  // ky merges plain objects of headers by key, and other forms as `Headers`.
  if (isPlainObject(headers)) normalized.headers = lowerCaseNames(headers) as NonNullable<Options['headers']>
  return normalized
}

/** The merged options of a ky instance and a call. ky shows them only to a function that is passed to `extend`. */
export function mergeOptions(instance: KyInstance, options: Options = {}): Options {
  let merged: Options = {}
  instance.extend(options).extend((parent) => {
    merged = parent
    return {}
  })
  return merged
}

/** Options for ky: the caller's, with the members that this package sets itself. */
export function finishOptions(call: ServiceCall, merged: Options, target: URL | Request): Options {
  const options = runInitHooks(merged)
  if (target instanceof Request && target.body !== null && options.searchParams !== undefined) {
    throw new ServiceRequestError(
      call,
      'searchParams cannot be combined with a Request that has a body: ky would send it without its body',
    )
  }
  const { timeout, totalTimeout, retry = {} } = options
  const signal = options.signal ?? (target instanceof Request ? target.signal : undefined)
  call.startBounds({ signal, timeout, totalTimeout })
  // Hooks may read the body, and may replace the Request.
  const isExposed = target instanceof Request || hasHooks(options)
  const body = isExposed ? undefined : readBody(options)
  return {
    ...options,
    ...(body !== undefined && { json: undefined, body: null }),
    fetch: (request, init) =>
      call.send(fromRequest(request as Request, init as RequestInit, body), {
        endsWith: isExposed ? (request as Request).signal : undefined,
        isError: (status) => throwsFor(options, status),
      }),
    // `ServiceCall` has its own timers.
    timeout: false,
    totalTimeout: false,
    // `ServiceCall` ends attempts and waits, too. A signal for ky takes 4% of a call's CPU time.
    signal: isExposed ? call.signal : null,
    retry: call.retryOptions(copyRetry(retry)),
    parseJson: createParseJson(call, options),
  }
}

/** Runs the caller's init hooks on copies, so that their changes apply to this call only. */
function runInitHooks({ hooks, ...merged }: Options): Options {
  const { init = [], ...others } = hooks ?? {}
  if (init.length === 0) return { ...merged, ...(hooks && { hooks: others }) }
  const { json, searchParams, retry } = merged
  const options: Options = {
    ...merged,
    hooks: others,
    json: isPlainObject(json) ? { ...json } : Array.isArray(json) ? [...json] : json,
    ...(searchParams instanceof URLSearchParams && { searchParams: new URLSearchParams(searchParams) }),
    ...(retry !== undefined && { retry: copyRetry(retry) }),
  }
  for (const hook of init) {
    // Not awaited, as in ky. A rejected promise must not end the process.
    Promise.resolve(hook(options) as unknown).catch(() => {})
  }
  return options
}

/** Whether the caller's code sees ky's Request. */
function hasHooks({ hooks = {}, onUploadProgress }: Options): boolean {
  return onUploadProgress !== undefined || Object.values(hooks).some((list) => list.length > 0)
}

/**
 * Encodes the body once, because ky would create a stream of it for each attempt. Undefined for a body that only ky can
 * encode.
 */
function readBody({ json, stringifyJson, body, method }: Options): PlainBody | undefined {
  if (method === undefined || /^(get|head)$/i.test(method)) return undefined
  if (json === undefined) return toPlainBody(body)
  return toPlainBody(stringifyJson?.(json) ?? JSON.stringify(json), 'application/json')
}

/** Parses an empty body as undefined. A body that is not JSON throws an error that quotes it. */
function createParseJson(call: ServiceCall, options: Options): NonNullable<Options['parseJson']> {
  const { parseJson = JSON.parse as (text: string) => unknown } = options
  return (text, context) => {
    if (text === '') return undefined
    try {
      return parseJson(text, context)
    } catch (cause) {
      const { ok, status } = context.response
      const isError = !ok && throwsFor(options, status)
      // For an error response, ky would drop a body that it cannot parse.
      if (isError) return text
      throw notJsonError(call, context.response, text, cause)
    }
  }
}

/** Whether the call throws an error for a status outside 2xx. */
function throwsFor({ throwHttpErrors = true }: Options, status: number): boolean {
  return typeof throwHttpErrors === 'function' ? throwHttpErrors(status) : throwHttpErrors
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    Object.prototype.toString.call(value) === '[object Object]' &&
    Object.getOwnPropertySymbols(value as object).length === 0
  )
}

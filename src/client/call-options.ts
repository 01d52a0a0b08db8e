import type { KyInstance, Options } from 'ky'
import { copyRetry } from '../config/index.ts'
import { notJsonError, ServiceRequestError } from '../errors/index.ts'
import { fromRequest, type PlainBody, toPlainBody } from '../signing/index.ts'
import type { ServiceCall } from './service-call.ts'

/** A caller's options in the form in which ky merges them without loss: retry as an object, header names in lower case. */
export function normalizeCallOptions(options: Options | null | undefined): Options {
  const normalized = { ...options }
  if (typeof normalized.retry === 'number') normalized.retry = copyRetry(normalized.retry)
  const { headers } = normalized
  // ky merges plain objects by their keys, and everything else as `Headers`.
  if (isPlainObject(headers)) {
    const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
    normalized.headers = Object.fromEntries(lowerCase) as NonNullable<Options['headers']>
  }
  return normalized
}

/** What ky makes of an instance's defaults and a call's options, which it shows only to a function given to `extend`. */
export function mergeOptions(instance: KyInstance, options: Options = {}): Options {
  let merged: Options = {}
  instance.extend(options).extend((parent) => {
    merged = parent
    return {}
  })
  return merged
}

/** The options that ky is given: the caller's, and over them what the package promises. */
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
  call.bound({ signal, timeout, totalTimeout })
  // Hooks may look at the body, and may put another Request in the place of ours.
  const isSeen = target instanceof Request || hasHooks(options)
  const body = isSeen ? undefined : readBody(options)
  return {
    ...options,
    ...(body !== undefined && { json: undefined, body: null }),
    fetch: (request, init) =>
      call.send(fromRequest(request as Request, init as RequestInit, body), {
        endsWith: isSeen ? (request as Request).signal : undefined,
        isError: (status) => throwsFor(options, status),
      }),
    // The call and its attempts keep their own time.
    timeout: false,
    totalTimeout: false,
    signal: call.signal,
    retry: call.retryOptions(copyRetry(retry)),
    parseJson: createParseJson(call, options),
  }
}

/** Runs the caller's init hooks on copies, so that what they change stays this call's. */
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
    // Not waited for, as in ky; a promise that it gives must not end the process.
    Promise.resolve(hook(options) as unknown).catch(() => {})
  }
  return options
}

/** Whether anybody sees what ky makes of the options. */
function hasHooks({ hooks = {}, onUploadProgress }: Options): boolean {
  return onUploadProgress !== undefined || Object.values(hooks).some((list) => list.length > 0)
}

/** The body, read before ky, which would make a stream of it for each attempt; undefined where only ky can. */
function readBody({ json, stringifyJson, body, method }: Options): PlainBody | undefined {
  if (method === undefined || /^(get|head)$/i.test(method)) return undefined
  if (json === undefined) return toPlainBody(body)
  return toPlainBody(stringifyJson?.(json) ?? JSON.stringify(json), 'application/json')
}

/** An empty body is undefined, and one that is not JSON an error that shows it. */
function createParseJson(call: ServiceCall, options: Options): NonNullable<Options['parseJson']> {
  const { parseJson = JSON.parse as (text: string) => unknown } = options
  return (text, context) => {
    if (text === '') return undefined
    try {
      return parseJson(text, context)
    } catch (cause) {
      const { ok, status } = context.response
      const isError = !ok && throwsFor(options, status)
      // ky would drop the data of an error whose body it cannot parse.
      if (isError) return text
      throw notJsonError(call, context.response, text, cause)
    }
  }
}

/** Whether a status that is not a success is thrown as an error. */
function throwsFor({ throwHttpErrors = true }: Options, status: number): boolean {
  return typeof throwHttpErrors === 'function' ? throwHttpErrors(status) : throwHttpErrors
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    Object.prototype.toString.call(value) === '[object Object]' &&
    Object.getOwnPropertySymbols(value as object).length === 0
  )
}

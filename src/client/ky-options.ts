import type { Options } from 'ky'
import { notJsonError } from '../errors/failure.ts'
import { ServiceRequestError } from '../errors/service-errors.ts'
import { MAX_TIMER_MS } from '../middleware/deadline.ts'
import { fromRequest, type Outgoing, type PlainBody, toPlainBody } from '../signing/request-body.ts'
import { sleep, toAbortSignal } from './abort.ts'
import type { RetryQuota } from './retry-budget.ts'
import { copyRetry, narrowRetry, type RetryBudget } from './retry-policy.ts'
import { type Bounds, type Call, openBounds } from './service-call.ts'

/** A caller's options in the one form in which ky merges them without loss: retry as an object, header names in lower case. */
export function normalizeCallOptions(options: Options | null | undefined): Options {
  const normalized = { ...options }
  if (typeof normalized.retry === 'number') normalized.retry = copyRetry(normalized.retry)
  const { headers } = normalized
  // ky merges objects by their keys; what `replaceOption` has marked, or `Headers`, is its own matter.
  if (isPlain(headers)) {
    normalized.headers = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  }
  return normalized
}

/**
 * Puts what the package promises in place of whatever the caller, `.extend` or a hook has set, and opens the call's
 * bounds. Runs as the last of ky's init hooks.
 */
export function sealOptions(
  options: Options,
  call: Call,
  target: URL | Request,
  quota: RetryQuota,
  send: (bounds: Bounds, outgoing: Outgoing) => Promise<Response>,
): void {
  const { timeout, totalTimeout, parseJson = (text: string) => JSON.parse(text), throwHttpErrors = true } = options
  if (timeout !== undefined) call.timeout = checkTimeout(call, timeout)
  if (totalTimeout) call.totalTimeout = totalTimeout
  if (target instanceof Request && target.body !== null && options.searchParams !== undefined) {
    throw new ServiceRequestError(call, 'a Request with a body keeps its own query: ky would send it without its body')
  }
  const bounds = openBounds(call, options.signal ?? (target instanceof Request ? target.signal : undefined))
  call.retry = narrowRetry(copyRetry(options.retry ?? {}), createBudget(call, quota, bounds))
  // Hooks may look at the body, and at the signal, and put another Request in the place of ours.
  const isSeen = target instanceof Request || hasHooks(options)
  const plain = isSeen ? undefined : takeBody(options)

  const sealed: Options = {
    fetch: (request, init) => {
      const outgoing = fromRequest(request as Request, init as RequestInit, plain)
      return send(bounds, isSeen || totalTimeout ? { ...outgoing, signal: (request as Request).signal } : outgoing)
    },
    // The attempt keeps its own time, for headers and body together.
    timeout: false,
    retry: call.retry.options,
    // Without hooks, everything that it could end ends with the bounds already; what ky itself ends is the Request's.
    signal: isSeen ? toAbortSignal(bounds.signal) : null,
    parseJson(text, context) {
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
    },
  }
  // Only a hook can have put an accessor in the way, where this must be defined.
  // Stryker disable next-line ConditionalExpression,OptionalChaining: ours is there; defining does for all, at a higher cost.
  if (options.hooks?.init?.length === 1) Object.assign(options, sealed)
  else Object.defineProperties(options, Object.getOwnPropertyDescriptors(sealed))
}

/** Whether anybody sees what ky makes of the options. */
function hasHooks({ hooks = {}, onUploadProgress }: Options): boolean {
  const { init: _, ...others } = hooks
  return onUploadProgress !== undefined || Object.values(others).some((list) => list.length > 0)
}

/** Takes the body out of ky's hands, who would make a stream of it, and another one for each retry. */
function takeBody(options: Options): PlainBody | undefined {
  const { json, stringifyJson, body, method } = options
  if (method === undefined || /^(get|head)$/i.test(method)) return undefined
  const text = json === undefined ? body : (stringifyJson?.(json) ?? JSON.stringify(json))
  const plain = toPlainBody(text, json === undefined ? undefined : 'application/json')
  if (plain === undefined) return undefined
  Object.assign(options, { json: undefined, body: undefined })
  return plain
}

function createBudget(call: Call, quota: RetryQuota, { signal }: Bounds): RetryBudget {
  const startedAt = performance.now()
  const unbounded = Number.POSITIVE_INFINITY
  return {
    quota,
    random: () => Math.random(),
    wait: (ms) => sleep(ms, signal),
    lastAttempt: () => call.lastAttempt,
    remaining: () =>
      Math.min(
        call.deadline?.remaining() ?? unbounded,
        call.totalTimeout === undefined ? unbounded : call.totalTimeout - (performance.now() - startedAt),
      ),
    // Without a deadline, nobody is made to wait longer than an attempt may take.
    patience: call.deadline === undefined && call.timeout !== false ? call.timeout : unbounded,
  }
}

export function checkTimeout(call: Call, timeout: number | false): number | false {
  if (timeout !== false && !(timeout > 0 && timeout <= MAX_TIMER_MS)) {
    throw new ServiceRequestError(call, `the timeout must be false or between 0 and ${MAX_TIMER_MS} ms`)
  }
  return timeout
}

function isPlain(headers: Options['headers']): headers is Record<string, string | undefined> {
  return (
    Object.prototype.toString.call(headers) === '[object Object]' &&
    Object.getOwnPropertySymbols(headers as object).length === 0
  )
}

import { channel } from '../transport/node.ts'
import { TRACE_HEADER } from './trace.ts'

interface CaptureGlobal {
  readonly __fetch?: unknown
}

/** Where tracers that follow `fetch` from outside, such as Powertools' Tracer, add their header without looking. */
const requestCreated = channel('undici:request:create')

/** How many calls on their way carry an `authorization`: equal calls of one second share theirs. */
const onTheirWay = new Map<unknown, number>()

/**
 * Sees to it that the request with this `authorization` carries one trace: the tracer's, where there
 * is one, since its subsegment is the nearer parent. The function that is returned ends that; undefined where nobody
 * follows requests.
 */
export function keepOneTrace(authorization: string | undefined): (() => void) | undefined {
  // Stryker disable next-line ConditionalExpression: spares what follows, which would find out as well.
  if (!requestCreated.hasSubscribers) return undefined
  // Subscribed anew, to come after every tracer and see what all of them have added.
  requestCreated.unsubscribe(dropEarlierTraces)
  if (!requestCreated.hasSubscribers) return undefined
  requestCreated.subscribe(dropEarlierTraces)
  onTheirWay.set(authorization, (onTheirWay.get(authorization) ?? 0) + 1)
  return () => {
    const others = (onTheirWay.get(authorization) as number) - 1
    if (others > 0) onTheirWay.set(authorization, others)
    else onTheirWay.delete(authorization)
    if (onTheirWay.size === 0) requestCreated.unsubscribe(dropEarlierTraces)
  }
}

/** What is added comes last. Requests of others are left as they are. */
function dropEarlierTraces(message: unknown): void {
  try {
    const { headers } = (message as { request: { headers: unknown[] } }).request
    if (!indexesOf('authorization', headers).some((index) => onTheirWay.has(headers[index + 1]))) return
    for (const index of indexesOf(TRACE_HEADER, headers).slice(0, -1).reverse()) headers.splice(index, 2)
  } catch {
    // Not the undici that is known here: two headers do less harm than the uncaught exception that this would become.
  }
}

/** Of a header's names, in a list of names and values in turn. */
function indexesOf(name: string, headers: readonly unknown[]): number[] {
  return headers.flatMap((one, index) => (index % 2 === 0 && String(one).toLowerCase() === name ? [index] : []))
}

/**
 * What to give to global `fetch` so that aws-xray-sdk-fetch, where it has captured that, opens its subsegment: it leaves
 * a request alone in which it finds a trace. It does not find ours here; its own takes the place of ours, and where it
 * has no segment, ours goes out. It sends a clone; one that undici makes loses its signal to the garbage collector.
 */
export function openToCapture(url: string, init: RequestInit & { readonly signal: AbortSignal }): string | Request {
  if ((globalThis as CaptureGlobal).__fetch === undefined) return url
  const request = new Request(url, init)
  const { headers } = request
  const has = (name: string) => name.toLowerCase() !== TRACE_HEADER && Headers.prototype.has.call(headers, name)
  Object.defineProperty(headers, 'has', { value: has })
  return Object.defineProperty(request, 'clone', { value: () => new Request(request, { signal: init.signal }) })
}

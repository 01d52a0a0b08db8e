import { type CallName, nameOf } from '../client/call-log.ts'
import type { CallInfo } from '../errors/service-errors.ts'

/** A call that is under way. */
interface PendingCall {
  readonly call: CallInfo
  /** Whether somebody waits for it; nobody does for one that was only started. */
  readonly isAwaited: () => boolean
  readonly abort: () => void
}

/** With an answer, with an error of its own, or with the invocation's time. */
export type CallEnd = 'finished' | 'failed' | 'aborted'

/** How a handler ended. */
interface HandlerEnd {
  readonly hasFailed: boolean
  /** Its answer still flows, from calls perhaps that it goes on to make. */
  readonly isStreamed: boolean
}

/** The calls of one invocation that a freeze at its end would cut. */
export interface PendingCalls {
  /** The function that is returned must be told how the call ended. */
  readonly add: (pending: PendingCall) => (end: CallEnd) => void
  /** A failure; `tell` it once it is certain that nobody listens, at the latest when the handler has ended. */
  readonly addFailure: (isAwaited: () => boolean, tell: () => void) => void
  /** Ends what is under way when the handler has ended; undefined where nothing needs to be waited for. */
  readonly finish: (end: HandlerEnd) => Promise<void> | undefined
}

/** `await` waits until the deadline, a number that many milliseconds; `ignore` leaves everything as it is. */
export type PendingCallsOption = 'await' | 'ignore' | number

/** Methods that only read. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** For calls of a handler that failed, or that went on without them. */
const GRACE_MS = 1000

/** `warn` takes the one line that names the calls. The deadline needs no minding here: it ends its calls by itself. */
export function createPendingCalls(
  option: PendingCallsOption,
  warn: (message: string, details: { readonly calls: readonly object[] }) => void,
): PendingCalls {
  const pending = new Map<PendingCall, Promise<void>>()
  const failures = new Set<{ readonly isAwaited: () => boolean; readonly tell: () => void }>()
  const named: (CallName & { readonly end: CallEnd })[] = []
  let state: 'running' | 'left alone' | 'ending' | 'closed' = 'running'

  const tellFailures = () => {
    for (const { isAwaited, tell } of failures) if (!isAwaited()) tell()
    failures.clear()
  }
  const cut = (one: PendingCall) => {
    pending.delete(one)
    named.push({ ...nameOf(one.call), end: 'aborted' })
    one.abort()
  }
  const close = () => {
    state = 'closed'
    for (const one of pending.keys()) cut(one)
    if (named.length === 0) return
    const list = named.map(({ service, method, path, end }) => `${service} ${method} ${path} (${end})`)
    warn(`Calls were under way when the handler ended: ${list.join(', ')}`, { calls: named })
  }

  return {
    add(one) {
      if (state === 'closed') {
        // It would thaw with the next invocation.
        one.abort()
        return () => {}
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      pending.set(one, promise)
      return (end) => {
        resolve()
        if (!pending.delete(one) || state !== 'ending') return
        named.push({ ...nameOf(one.call), end })
        // What the deadline has ended is named here, and told of nowhere else.
        if (end === 'aborted') one.abort()
      }
    },
    addFailure(isAwaited, tell) {
      const failure = { isAwaited, tell }
      failures.add(failure)
      // Only what is unheard is kept until the end, and nothing after it.
      setImmediate(() => {
        if (state === 'running' && !isAwaited()) return
        if (failures.delete(failure) && !isAwaited()) tell()
      })
    },
    finish({ hasFailed, isStreamed }) {
      if (state !== 'running') return undefined
      state = option === 'ignore' || isStreamed ? 'left alone' : 'ending'
      tellFailures()
      if (state === 'left alone') return undefined
      for (const one of pending.keys()) if (SAFE.has(one.call.method)) cut(one)
      if (pending.size === 0) {
        close()
        return undefined
      }
      const isForgotten = [...pending.keys()].some((one) => !one.isAwaited())
      const patience =
        typeof option === 'number' ? option : hasFailed || !isForgotten ? GRACE_MS : Number.POSITIVE_INFINITY
      return waitForAll(pending, patience).then(close)
    },
  }
}

/** Until all have ended, those that start meanwhile included, or the time is over. */
async function waitForAll(pending: ReadonlyMap<PendingCall, Promise<void>>, ms: number): Promise<void> {
  let isOver = false
  let timer: NodeJS.Timeout | undefined
  const timeUp = new Promise<void>((resolve) => {
    const expire = () => {
      isOver = true
      resolve()
    }
    if (Number.isFinite(ms)) timer = setTimeout(expire, ms)
  })
  while (pending.size > 0 && !isOver) {
    await Promise.race([Promise.all(pending.values()), timeUp])
    // Whoever waited for a call may start another one first.
    await new Promise(setImmediate)
  }
  clearTimeout(timer)
}

import { setImmediate as nextTurn } from 'node:timers/promises'

/** Waits until the process has noticed closed idle connections. Undefined if no wait is needed. */
export type FreezeGuard = () => Promise<void> | undefined

/** Milliseconds between two requests from which on a freeze is possible. */
const PAUSE_MS = 20

/**
 * The first request after a pause waits two event-loop turns, so that Node.js notices closed connections first. After a
 * freeze, a process may read its next invocation before it reads that a connection was closed meanwhile. A request on
 * this connection is lost, and a POST must not be sent again, because it may have run. The same happens after a handler
 * has blocked the event loop.
 *
 * One turn is not enough: its events may date from before the freeze, and the agent drops a closed connection only at
 * the end of the turn.
 *
 * `now` returns milliseconds since the epoch: monotonic clocks may stop during a freeze.
 */
export function createFreezeGuard(now: () => number = Date.now): FreezeGuard {
  let lastSentAt = now()
  const wait = async () => {
    await nextTurn()
    await nextTurn()
    // Set after the wait: requests that start during the wait must wait as well.
    lastSentAt = now()
  }
  return () => {
    const time = now()
    if (Math.abs(time - lastSentAt) >= PAUSE_MS) return wait()
    lastSentAt = time
    return undefined
  }
}

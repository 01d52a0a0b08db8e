import { setImmediate as nextTurn } from 'node:timers/promises'

/** Waits until the process knows which of its idle connections have ended; undefined where it need not wait. */
export type FreezeGuard = () => Promise<void> | undefined

/** Milliseconds between two requests in which a freeze may hide. */
const PAUSE_MS = 20

/**
 * A frozen environment may read its next invocation before it reads that a connection was closed or reset meanwhile. A
 * request written to such a connection is lost, and a POST must not be sent again: it might have run. The same holds after
 * a handler has kept the event loop busy. So the first request after a pause lets the event loop look first.
 *
 * It waits two turns: the events of the first turn may have been collected before the freeze, and a closed connection
 * leaves its agent at the end of the turn that finds it closed.
 *
 * `now` gives milliseconds since the epoch: monotonic clocks may stand still in a freeze.
 */
export function createFreezeGuard(now: () => number = Date.now): FreezeGuard {
  let lastSentAt = now()
  const wait = async () => {
    await nextTurn()
    await nextTurn()
    // Not before: requests that come during the wait must wait as well.
    lastSentAt = now()
  }
  return () => {
    const time = now()
    if (Math.abs(time - lastSentAt) >= PAUSE_MS) return wait()
    lastSentAt = time
    return undefined
  }
}

import { nextTurn } from './node.ts'

/**
 * Waits, before a request goes out, until the process knows which of its idle connections have ended; undefined where
 * there is nothing to wait for.
 */
export type CatchUp = () => Promise<void> | undefined

/** Milliseconds between two requests in which a freeze may hide; less than any gateway leaves a connection idle. */
const PAUSE_MS = 20

/**
 * An environment that thaws may read the next invocation before it reads that a connection was closed or reset while it
 * was frozen. A request written to such a connection is lost, and a POST must not be sent again: it might have run. The
 * same goes for a handler that kept the event loop busy. So the first request after a pause lets the event loop look.
 *
 * Two turns: the first one may be over without a look, because what it looks at was collected before; and a connection
 * leaves its pool only at the end of the turn that has found it closed.
 *
 * `now` tells milliseconds since the epoch: other clocks may stand still in a freeze.
 */
export function createCatchUp(now: () => number = Date.now): CatchUp {
  let lastSentAt = now()
  const wait = async () => {
    await nextTurn()
    await nextTurn()
    // Only now: whoever comes during the wait must wait as well.
    lastSentAt = now()
  }
  return () => {
    const time = now()
    if (Math.abs(time - lastSentAt) >= PAUSE_MS) return wait()
    lastSentAt = time
    return undefined
  }
}

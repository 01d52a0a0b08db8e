// Imported, because fake timers replace the global function.
import { setImmediate } from 'node:timers'

/** The clock of `@sinonjs/fake-timers`, which Vitest, Jest and Sinon.JS use. */
interface FakeClock {
  readonly tick: (ms: number) => unknown
}

/**
 * With fake timers, runs the timer of 0 ms that ky sets before each retry: a test that awaits the call cannot advance
 * the time itself. The time does not change. Other timers that are due run as well.
 */
export function passRetryTimer(): void {
  const { clock } = globalThis.setTimeout as { readonly clock?: FakeClock }
  if (clock === undefined) return
  let hasPassed = false
  // Due at the same time as ky's timer, which is set in the following microtasks.
  setTimeout(() => {
    hasPassed = true
  }, 0)
  setImmediate(() => {
    clock.tick(0)
    // A timer that is set while the test advances the time is due 1 ms later.
    if (!hasPassed) clock.tick(1)
  })
}

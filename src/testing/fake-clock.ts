// Imported, so that fake timers leave it alone.
import { setImmediate } from 'node:timers'

/** As `@sinonjs/fake-timers` has it, with which Vitest, Jest and Sinon.JS fake timers. */
interface FakeClock {
  readonly tick: (ms: number) => unknown
}

/**
 * Runs the timer of 0 ms that ky sets before each retry, where a test has faked timers: a test that awaits the call cannot
 * do it. The time stays as it is; other timers that are due by then run as well.
 */
export function passRetryTimer(): void {
  const { clock } = globalThis.setTimeout as { readonly clock?: FakeClock }
  if (clock === undefined) return
  let hasPassed = false
  // Due at the same time as ky's, which is set in the microtasks that follow.
  setTimeout(() => {
    hasPassed = true
  }, 0)
  setImmediate(() => {
    clock.tick(0)
    // A timer that is set while the test advances the time is due 1 ms later.
    if (!hasPassed) clock.tick(1)
  })
}

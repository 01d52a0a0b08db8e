// Imported, because fake timers replace the global functions.
import { performance } from 'node:perf_hooks'
import { clearInterval, setInterval } from 'node:timers'

const INTERVAL_MS = 5

/** By so many milliseconds is a timer late at most, while its process has a processor. */
const LATE_MS = 20

/**
 * Measures milliseconds until the returned function is called: those in which this process computes or waits. It leaves out
 * those in which a busy machine gives the process no processor, so that upper bounds hold on such a machine too.
 */
export function startStopwatch(): () => number {
  let elapsed = 0
  let last = performance.now()
  let cpu = process.cpuUsage()
  const measure = () => {
    const now = performance.now()
    const { user, system } = process.cpuUsage(cpu)
    elapsed += Math.min(now - last, LATE_MS + (user + system) / 1000)
    last = now
    cpu = process.cpuUsage()
  }
  const timer = setInterval(measure, INTERVAL_MS).unref()
  return () => {
    clearInterval(timer)
    measure()
    return elapsed
  }
}

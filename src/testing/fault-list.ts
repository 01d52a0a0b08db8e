import { type Effect, type Fault, parseFault } from './faults.ts'
import type { Route } from './routes.ts'

/** The faults of a gateway's routes. */
export interface FaultList {
  /**
   * Makes a route fail. Returns a function that removes the fault. @throws TypeError for an unknown route or an invalid
   * fault
   */
  readonly fail: (route: string, fault: Fault) => () => void
  /** Returns the effect of a fault on a request to this route, and counts the request. */
  readonly take: (service: string, key: string) => Effect | undefined
  /** Removes all faults. */
  readonly clear: () => void
}

interface Entry {
  readonly route: string
  readonly effect: Effect
  left: number
}

/** Creates an empty list. The newest fault that matches a request applies until it is used up. */
export function createFaultList(services: ReadonlyMap<string, readonly Route[]>): FaultList {
  const known = [...services].flatMap(([service, routes]) => [
    `${service} *`,
    ...routes.map(({ key }) => `${service} ${key}`),
  ])
  const entries = new Set<Entry>()

  return {
    fail: (route, fault) => {
      if (route !== '*' && !known.includes(route)) {
        const defined = ['*', ...known].map((name) => `'${name}'`).join(', ')
        throw new TypeError(`Unknown route '${route}': it must be one of ${defined}`)
      }
      const { effect, times } = parseFault(fault)
      const entry: Entry = { route, effect, left: times }
      entries.add(entry)
      return () => {
        entries.delete(entry)
      }
    },
    take: (service, key) => {
      const matching = ['*', `${service} *`, `${service} ${key}`]
      const entry = [...entries].findLast(({ route }) => matching.includes(route))
      if (entry === undefined) return undefined
      entry.left -= 1
      if (entry.left === 0) entries.delete(entry)
      return entry.effect
    },
    clear: () => entries.clear(),
  }
}

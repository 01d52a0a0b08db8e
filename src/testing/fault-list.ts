import { type Effect, type Fault, parseFault } from './faults.ts'
import type { Route } from './routes.ts'

/** The faults of a gateway's routes. */
export interface FaultList {
  /** Makes a route fail; gives back a function that heals it. @throws TypeError for an unknown route or a bad fault */
  readonly fail: (route: string, fault: Fault) => () => void
  /** What is to happen to a request of this route; counts it. */
  readonly take: (service: string, key: string) => Effect | undefined
  /** Heals all routes. */
  readonly clear: () => void
}

interface Entry {
  readonly route: string
  readonly effect: Effect
  left: number
}

/** Without faults yet; the newest one that fits a request wins until it is used up. */
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
      const fitting = ['*', `${service} *`, `${service} ${key}`]
      const entry = [...entries].findLast(({ route }) => fitting.includes(route))
      if (entry === undefined) return undefined
      entry.left -= 1
      if (entry.left === 0) entries.delete(entry)
      return entry.effect
    },
    clear: () => entries.clear(),
  }
}

import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'

/** What Node.js's client has done to reach a host. */
export interface ConnectionLog {
  /** One line for each DNS lookup and connection since the last time. */
  readonly take: () => readonly string[]
  readonly stop: () => void
}

/** What Node.js says of a DNS lookup or a connection, beside its duration. */
interface Detail {
  readonly hostname?: string
  readonly addresses?: readonly { readonly address: string }[]
  readonly host?: string
  readonly port?: number
}

/** @see https://nodejs.org/api/perf_hooks.html#performanceentryentrytype */
export function watchConnections(): ConnectionLog {
  const lines: string[] = []
  const collect = (entries: readonly PerformanceEntry[]) => {
    for (const { entryType, detail, duration } of entries as readonly (PerformanceEntry & { detail: Detail })[]) {
      const what =
        entryType === 'dns'
          ? `DNS lookup of ${detail.hostname}: ${detail.addresses?.map(({ address }) => address).join(', ')}`
          : `connected to ${detail.host}:${detail.port}`
      lines.push(`${what}, ${duration.toFixed(1)} ms`)
    }
  }
  const observer = new PerformanceObserver((list) => collect(list.getEntries()))
  observer.observe({ entryTypes: ['dns', 'net'] })
  return {
    take() {
      collect(observer.takeRecords())
      return lines.splice(0)
    },
    stop: () => observer.disconnect(),
  }
}

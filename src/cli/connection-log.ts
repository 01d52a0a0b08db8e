import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'

/** DNS lookups and connections of Node.js's client. */
export interface ConnectionLog {
  /** Returns one line for each DNS lookup and connection since the last call. */
  readonly take: () => readonly string[]
  readonly stop: () => void
}

/** Details of a DNS lookup or a connection. */
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
      const event =
        entryType === 'dns'
          ? `DNS lookup of ${detail.hostname}: ${detail.addresses?.map(({ address }) => address).join(', ')}`
          : `connected to ${detail.host}:${detail.port}`
      lines.push(`${event}, ${duration.toFixed(1)} ms`)
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

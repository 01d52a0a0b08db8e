/** The report as Markdown. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..')

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))

const START = '<!-- bench -->'
const END = '<!-- /bench -->'

/** The version that is installed; package.json has ranges too. */
export function versionOf(name: string): string {
  return packages[`node_modules/${name}`]?.version ?? ''
}

export function machine(): string {
  return `Node.js ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} cores (${cpus()[0]?.model})`
}

/** The first column holds text, all others numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|---|${'---:|'.repeat(head.length - 1)}`, ...rows.map(line)].join('\n')
}

/** Replaces the text between the markers of docs/performance.md. */
export function writeToPage(report: string): void {
  const file = join(root, 'docs', 'performance.md')
  const page = readFileSync(file, 'utf8')
  const [start, end] = [page.indexOf(START), page.indexOf(END)]
  if (start === -1 || end < start) throw new Error(`${file} has no ${START} and ${END}`)
  writeFileSync(file, `${page.slice(0, start + START.length)}\n${report}\n${page.slice(end)}`)
}

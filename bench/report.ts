/** The report as Markdown. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..')

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))

const START = '<!-- bench -->'
const END = '<!-- /bench -->'

/** The installed version: package.json may have a range. */
export function versionOf(name: string): string {
  return packages[`node_modules/${name}`]?.version ?? ''
}

export function machine(): string {
  return `Node.js ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} cores (${cpus()[0]?.model})`
}

/** Creates a table. The first column is text, the others are numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|---|${'---:|'.repeat(head.length - 1)}`, ...rows.map(line)].join('\n')
}

/** Writes the report between the README's markers. */
export function writeToReadme(report: string): void {
  const file = join(root, 'README.md')
  const readme = readFileSync(file, 'utf8')
  const [start, end] = [readme.indexOf(START), readme.indexOf(END)]
  if (start === -1 || end < start) throw new Error(`the README has no ${START} and ${END}`)
  writeFileSync(file, `${readme.slice(0, start + START.length)}\n${report}\n${readme.slice(end)}`)
}

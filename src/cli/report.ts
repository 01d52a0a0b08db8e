import type { CheckResult } from './checks.ts'
import type { OutputStream } from './context.ts'

export interface ServiceReport {
  readonly name: string
  readonly url?: string
  readonly ok: boolean
  readonly checks: readonly CheckResult[]
}

/** Results of all checks. */
export interface Report {
  /** True if every check is ok. */
  readonly ok: boolean
  /** Checks of the credentials, which all services share. */
  readonly account: readonly CheckResult[]
  readonly services: readonly ServiceReport[]
}

const COLORS = { ok: 32, warn: 33, fail: 31 } as const

export function formatJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`
}

/** Whether to use colours: on a terminal, unless they are disabled. @see https://no-color.org */
export function usesColor(stream: OutputStream, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
}

export function formatTable({ account, services }: Report, withColor: boolean): string {
  const paint = (code: number, text: string) => (withColor ? `\u001b[${code}m${text}\u001b[0m` : text)
  const width = Math.max(...[account, ...services.map(({ checks }) => checks)].flat().map(({ name }) => name.length))
  const row = ({ name, status, detail, advice }: CheckResult): string[] => {
    const indent = ' '.repeat(width + 10)
    const [first = '', ...more] = detail.split('\n')
    const lines = [`  ${paint(COLORS[status], status.padEnd(4))}  ${name.padEnd(width)}  ${first}`]
    lines.push(...more.map((line) => indent + line))
    lines.push(...(advice?.split('\n').map((line) => `${indent}-> ${line}`) ?? []))
    return lines
  }
  const section = (title: string, checks: readonly CheckResult[]) => [paint(1, title), ...checks.flatMap(row), '']
  const failed = [
    ...(account.every(({ status }) => status === 'ok') ? [] : ['account']),
    ...services.filter(({ ok }) => !ok).map(({ name }) => name),
  ]
  return [
    ...section('account', account),
    ...services.flatMap(({ name, checks }) => section(name, checks)),
    failed.length === 0 ? 'All checks passed.' : `Problems in: ${failed.join(', ')}`,
    '',
  ].join('\n')
}

/** A progress line on a terminal. It is removed at the end. */
export interface Progress {
  readonly done: (name: string) => void
  readonly end: () => void
}

export function createProgress(stream: OutputStream, names: readonly string[], isQuiet: boolean): Progress {
  if (isQuiet || stream.isTTY !== true) return { done: () => {}, end: () => {} }
  const waiting = new Set(names)
  const show = (text: string) => stream.write(`\r\u001b[K${text}`)
  const update = () => {
    const text = `checked ${names.length - waiting.size} of ${names.length}, waiting for ${[...waiting].join(', ')}`
    show(text.slice(0, 79))
  }
  update()
  return {
    done(name) {
      waiting.delete(name)
      update()
    },
    end: () => {
      show('')
    },
  }
}

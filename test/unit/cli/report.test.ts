import { describe, expect, it } from 'vitest'
import { createProgress, formatTable, type Report, usesColor } from '../../../src/cli/report.ts'
import { Collector } from './context.ts'

const report: Report = {
  ok: false,
  account: [{ name: 'credentials', status: 'ok', detail: 'there' }],
  services: [
    { name: 'ai', ok: true, checks: [{ name: 'dns', status: 'ok', detail: '10.0.0.1' }] },
    {
      name: 'admin',
      ok: false,
      checks: [
        { name: 'clock', status: 'warn', detail: '90 s behind\nthe gateway', advice: 'Set it.\nAnd again.' },
        { name: 'health', status: 'fail', detail: '403' },
      ],
    },
  ],
}

describe('the table', () => {
  it('is for people', () => {
    expect(formatTable(report, false)).toBe(`account
  ok    credentials  there

ai
  ok    dns          10.0.0.1

admin
  warn  clock        90 s behind
                     the gateway
                     -> Set it.
                     -> And again.
  fail  health       403

Problems in: admin
`)
  })

  it('has colours on a terminal', () => {
    const text = formatTable({ ...report, services: report.services.slice(0, 1) }, true)
    expect(text).toContain('\u001b[32mok  \u001b[0m  dns ')
    expect(text).toContain('\u001b[1mai\u001b[0m')
    expect(text).toMatch(/\nAll checks passed\.\n$/)
  })

  it('names the account, too', () => {
    const account = [
      { name: 'credentials', status: 'warn', detail: 'they end' },
      { name: 'caller', status: 'ok', detail: 'me' },
    ] as const
    expect(formatTable({ ...report, account }, false)).toMatch(/\nProblems in: account, admin\n$/)
  })

  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '' }, true],
    [true, { NO_COLOR: '1' }, false],
    [true, { TERM: 'dumb' }, false],
  ])('on a terminal: %s, with %j: %s', (isTerminal, env, expected) => {
    expect(usesColor(new Collector(isTerminal), env)).toBe(expected)
  })
})

describe('progress', () => {
  it('is shown on a terminal, and goes', () => {
    const stream = new Collector(true)
    const progress = createProgress(stream, ['ai', 'admin'], false)
    progress.done('ai')
    progress.done('admin')
    progress.end()
    expect(stream.bytes.toString().split('\r\u001b[K')).toEqual([
      '',
      'checked 0 of 2, waiting for ai, admin',
      'checked 1 of 2, waiting for admin',
      'checked 2 of 2, waiting for ',
      '',
    ])
  })

  it('fits a line of 80 columns', () => {
    const stream = new Collector(true)
    createProgress(stream, ['a'.repeat(60), 'b'.repeat(60)], false)
    expect(stream.bytes.toString()).toBe(`\r\u001b[Kchecked 0 of 2, waiting for ${'a'.repeat(51)}`)
  })

  it.each([
    [false, false],
    [true, true],
  ])('is not shown elsewhere', (isTerminal, isQuiet) => {
    const stream = new Collector(isTerminal)
    const progress = createProgress(stream, ['ai'], isQuiet)
    progress.done('ai')
    progress.end()
    expect(stream.bytes).toHaveLength(0)
  })
})

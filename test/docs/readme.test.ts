import { describe, expect, it } from 'vitest'
import { defaults } from '../../src/config/options.ts'
import * as errors from '../../src/errors/service-errors.ts'
import { signedServicesValidateOptions } from '../../src/index.ts'
import { FAULT_NAMES, type FaultName } from '../../src/testing/faults.ts'
import { fail, mockServices } from '../../src/testing/index.ts'
import { cellsOf, pageAt, pages, read, readme, tableOf } from './pages.ts'

const bare = (cell: string | undefined) => (cell ?? '').replaceAll('`', '')

describe('the README', () => {
  it('can be read in one sitting, but for what the benches write', () => {
    const own = readme.text.replace(/<!-- bench -->[\s\S]*<!-- \/bench -->/, '')
    expect(own.split('\n').length).toBeLessThanOrEqual(450)
    expect(readme.text).toContain('<!-- bench -->\n')
    expect(readme.text).toContain('<!-- /bench -->\n')
  })

  it('shows the two commands that a newcomer needs', () => {
    expect(readme.blocks.filter(({ language }) => language === 'sh').map(({ code }) => code)).toEqual(
      expect.arrayContaining(['npm ci && npm run demo\n', 'npm ci && npm test\n']),
    )
  })

  it('leads to every page', () => {
    for (const { path } of pages.slice(1)) expect(readme.links.map((link) => link.split('#')[0])).toContain(path)
  })

  it('has its chapters in its contents, in their order', () => {
    const contents = readme.text.slice(0, readme.text.indexOf('\n## '))
    const listed = [...contents.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor)
    const chapters = [...readme.text.matchAll(/^## (.+)$/gm)].map(([, heading = '']) =>
      heading.toLowerCase().replaceAll(' ', '-'),
    )
    expect(listed).toEqual(chapters.slice(0, -1))
  })

  it('tells of every error class its code, and what may be answered', () => {
    const call = { service: 'ai', method: 'GET', path: '/', attempts: 1 }
    const details = {
      status: 500,
      data: undefined,
      headers: new Headers(),
      retryAfterMs: 1,
      timeoutMs: 1,
      deadline: false,
    }
    const rows = tableOf(readme, 'class', '`code`')
    const told = rows.map(([name, code, , , statusCode]) => [bare(name), bare(code), statusCode])
    const real = Object.entries(errors)
      .filter(([name, value]) => typeof value === 'function' && name !== 'ServiceError')
      .map(([name, value]) => {
        const ErrorClass = value as new (...args: unknown[]) => { code: string; statusCode?: number }
        const isCall = name !== 'ServicesConfigurationError'
        const error = isCall ? new ErrorClass(call, 'problem', details) : new ErrorClass([])
        return [name, error.code, String(error.statusCode ?? '')]
      })
    expect(told.toSorted()).toEqual(real.toSorted())
  })

  it('has a heading for every reason of a refusal', () => {
    const [, union = ''] = /export type AuthReason =([\s|'a-z-]+)/.exec(read('src/errors/service-errors.ts')) ?? []
    const reasons = [...union.matchAll(/'([a-z-]+)'/g)].map(([, reason]) => reason)
    expect(reasons.length).toBe(9)
    expect(pageAt('docs/troubleshooting.md').anchors).toEqual(expect.arrayContaining(reasons))
  })

  it('tells the defaults as they are', () => {
    for (const [option, value] of Object.entries(defaults)) {
      const line = readme.text.split('\n').find((one) => one.startsWith(`| \`${option}\` |`)) ?? ''
      const told = bare(cellsOf(line)[1]).replaceAll('_', '').replaceAll("'", '"')
      expect(JSON.parse(told), option).toEqual(value)
    }
  })

  it('names every option, and none that is not there', () => {
    const members = (name: string) => {
      const [, body = ''] =
        new RegExp(`interface ${name}\\b[^{]*{([\\s\\S]*?)\\n}`).exec(read('src/config/options.ts')) ?? []
      return [...body.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, member]) => member as string)
    }
    const [all = [], service = []] = ['timeout', 'url'].map((option) => {
      const lines = readme.text.split('\n')
      let start = lines.findIndex((line) => line.startsWith(`| \`${option}\` |`))
      while (lines[start - 1]?.startsWith('| `')) start -= 1
      const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'))
      return lines.slice(start, end).map((line) => bare(cellsOf(line)[0]))
    })
    expect(all.toSorted()).toEqual([...members('CommonOptions'), ...members('SignedServicesOptions')].toSorted())
    expect(service.toSorted()).toEqual(members('ServiceOptions').toSorted())
    for (const option of [...all, 'nonsense']) {
      const validate = () => signedServicesValidateOptions({ [option]: undefined } as never)
      if (option === 'nonsense') expect(validate).toThrow('nonsense')
      else expect(validate).not.toThrow()
    }
  })
})

describe('the table of faults', () => {
  const rows = tableOf(pageAt('docs/testing.md'), 'fault', 'what happens', 'the client throws', 'attempts').flatMap(
    ([names = '', , error = '', attempts]) =>
      names
        .split(', ')
        .map((name) => ({ name: bare(name) as FaultName, error: bare(error), attempts: Number(attempts) })),
  )

  it('has every fault', () => {
    expect(rows.map(({ name }) => name).toSorted()).toEqual(FAULT_NAMES.toSorted())
  })

  it.each(rows)('gives $name the error that a client throws', async ({ name, error, attempts }) => {
    const { ai } = mockServices({ ai: { 'GET /': fail(name) } })
    const thrown = await ai.get('').catch((caught: unknown) => caught)
    // A body that ends early fails when it is read.
    const failure = thrown instanceof Response ? await thrown.text().catch((caught: unknown) => caught) : thrown
    const { reason } = failure as { reason?: string }
    expect(`${(failure as Error).name}${reason === undefined ? '' : ` (${reason})`}`).toBe(error)
    expect(ai.calls).toHaveLength(attempts)
  })
})

import { describe, expect, it } from 'vitest'
import { defaults } from '../../src/config/options.ts'
import * as errors from '../../src/errors/service-errors.ts'
import { signedServicesValidateOptions } from '../../src/index.ts'
import { FAULT_NAMES, type FaultName } from '../../src/testing/faults.ts'
import { fail, mockServices } from '../../src/testing/index.ts'
import { cellsOf, pageAt, pages, read, readme, tableOf } from './pages.ts'

const optionsPage = pageAt('docs/options.md')

const bare = (cell: string | undefined) => (cell ?? '').replaceAll('`', '')

describe('the README', () => {
  it('can be read in one sitting', () => {
    expect(readme.text.trimEnd().split('\n').length).toBeLessThanOrEqual(250)
  })

  it('shows the two commands that a newcomer needs', () => {
    expect(readme.blocks.filter(({ language }) => language === 'sh').map(({ code }) => code)).toEqual(
      expect.arrayContaining(['npm ci && npm run demo\n', 'npm ci && npm test\n']),
    )
  })

  it('leads to every page', () => {
    const links = readme.links.map((link) => link.split('#')[0])
    for (const { path } of pages.filter((page) => page.path.startsWith('docs/'))) expect(links).toContain(path)
  })

  it('leads only to what the package holds, because a registry shows it too', () => {
    const { files } = JSON.parse(read('package.json')) as { files: readonly string[] }
    // npm packs a licence whatever `files` says.
    const packed = [...files, 'LICENSE']
    for (const link of readme.links.filter((one) => !/^(https:|#)/.test(one))) {
      expect(
        packed.some((entry) => link === entry || link.startsWith(`${entry}/`)),
        link,
      ).toBe(true)
    }
  })

  it('names the code and the status of every error class', () => {
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
    const shown = rows.map(([name, code, , , statusCode]) => [bare(name), bare(code), statusCode])
    const real = Object.entries(errors)
      .filter(([name, value]) => typeof value === 'function' && name !== 'ServiceError')
      .map(([name, value]) => {
        const ErrorClass = value as new (...args: unknown[]) => { code: string; statusCode?: number }
        const isCall = name !== 'ServicesConfigurationError'
        const error = isCall ? new ErrorClass(call, 'problem', details) : new ErrorClass([])
        return [name, error.code, String(error.statusCode ?? '')]
      })
    expect(shown.toSorted()).toEqual(real.toSorted())
  })

  it('leads to a heading for every reason of a rejection', () => {
    const [, union = ''] = /export type AuthReason =([\s|'a-z-]+)/.exec(read('src/errors/service-errors.ts')) ?? []
    const reasons = [...union.matchAll(/'([a-z-]+)'/g)].map(([, reason]) => reason)
    expect(reasons.length).toBe(9)
    expect(pageAt('docs/troubleshooting.md').anchors).toEqual(expect.arrayContaining(reasons))
  })
})

/** Rows of the table of options that holds this one. */
function rowsWith(text: string, option: string): readonly (readonly string[])[] {
  const lines = text.split('\n')
  const row = lines.findIndex((line) => line.startsWith(`| \`${option}\` |`))
  const start = lines.findLastIndex((line, index) => index < row && !line.startsWith('| `')) + 1
  const end = lines.findIndex((line, index) => index > row && !line.startsWith('| `'))
  return lines.slice(start, end).map(cellsOf)
}

const defaultOf = (cell: string | undefined) => JSON.parse(bare(cell).replaceAll('_', '').replaceAll("'", '"'))

describe('the options', () => {
  const all = rowsWith(optionsPage.text, 'timeout')
  const service = rowsWith(optionsPage.text, 'url')
  const namesOf = (rows: readonly (readonly string[])[]) => rows.map(([name]) => bare(name)).toSorted()

  const membersOf = (name: string) => {
    const [, body = ''] =
      new RegExp(`interface ${name}\\b[^{]*{([\\s\\S]*?)\\n}`).exec(read('src/config/options.ts')) ?? []
    return [...body.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, member]) => member as string)
  }

  it.each(Object.entries(defaults))('%s has its default', (option, value) => {
    const [, cell] = all.find(([name]) => bare(name) === option) ?? []
    expect(defaultOf(cell)).toEqual(value)
  })

  it('are all there, and no others', () => {
    expect(namesOf(all)).toEqual([...membersOf('CommonOptions'), ...membersOf('SignedServicesOptions')].toSorted())
    expect(namesOf(service)).toEqual(membersOf('ServiceOptions').toSorted())
    for (const [name] of all) {
      expect(() => signedServicesValidateOptions({ [bare(name)]: undefined } as never)).not.toThrow()
    }
    expect(() => signedServicesValidateOptions({ nonsense: undefined } as never)).toThrow('nonsense')
  })

  it('that a service may set are named', () => {
    const [, sentence = ''] = /The object takes ([\s\S]*?) as above/.exec(optionsPage.text) ?? []
    expect([...sentence.matchAll(/`(\w+)`/g)].map(([, name]) => name).toSorted()).toEqual(
      membersOf('CommonOptions').toSorted(),
    )
  })

  it.each(['retry', 'circuitBreaker'])('%s has all its members', (option) => {
    const section = optionsPage.text.split(/^#+ /m).find((one) => one.startsWith(`${option}\n`)) ?? ''
    const names = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)
    const [, body = ''] =
      new RegExp(`members\\('${option}', {([\\s\\S]*?)\\n  }\\)`).exec(read('src/config/check-options.ts')) ?? []
    const real = [...body.matchAll(/^ {4}(\w+):/gm)].map(([, member]) => member)
    expect(real.length).toBeGreaterThan(0)
    expect(names.toSorted()).toEqual(real.toSorted())
  })

  it('of the README are some of them, with the same defaults', () => {
    const shown = tableOf(readme, 'option', 'default')
    expect(shown.length).toBeGreaterThan(3)
    for (const [option, value] of shown) {
      const [, cell] = all.find(([name]) => name === option) ?? []
      expect(value, option).toBe(cell?.replace(/, else the AWS.+/, ''))
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

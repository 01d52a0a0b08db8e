/**
 * Holds the messages on the pages to what the package prints. This command writes the changed ones into the pages:
 *
 *     UPDATE_MESSAGES=1 npx vitest run test/docs/docs-messages.test.ts
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createServices, type ServicesConfigurationError } from '../../src/index.ts'
import { setEnv } from '../support/helpers.ts'
import { messages, problems, refusals } from './messages.ts'
import { blocksOf, pageAt, read, root, tableOf } from './pages.ts'

const isUpdate = Boolean(process.env.UPDATE_MESSAGES)

/** Expects the text on a page to be the current one, or replaces it. */
function check(path: string, shown: string, current: string): void {
  if (isUpdate) {
    // A function, because a message may contain `$`.
    const text = read(path).replace(shown, () => current)
    writeFileSync(join(root, path), text)
  } else {
    expect(shown).toBe(current)
  }
}

describe('messages are shown as they are printed:', () => {
  const shown = blocksOf('text')

  it.each(Object.entries(messages))('%s', async (name, make) => {
    const blocks = shown.filter((block) => block.name === name)
    expect(blocks.length).toBeGreaterThan(0)
    const message = await make()
    const fence = `\`\`\`text ${name}\n`
    for (const { page, code } of blocks) check(page, `${fence}${code}`, `${fence}${message}\n`)
  })

  it('and no other one is', () => {
    expect(shown.map(({ name }) => name).filter((name) => messages[name] === undefined)).toEqual([])
  })
})

describe('what is refused before it is sent:', () => {
  const rows = tableOf(pageAt('docs/security.md'), '', 'message, after service, method and path')

  it.each(rows)('%s', async (name = '', message = '') => {
    check('docs/security.md', `| ${name} | ${message} |`, `| ${name} | \`${await refusals[name]?.()}\` |`)
  })

  it('all of it', () => expect(rows.map(([name]) => name)).toEqual(Object.keys(refusals)))
})

describe('what is wrong with a base URL:', () => {
  it.each(Object.entries(problems))('%s', (problem, options) => {
    setEnv({ AWS_REGION: undefined })
    expect(read('docs/troubleshooting.md')).toContain(`\`${problem}\``)
    expect(() => createServices(options)).toThrow(
      expect.objectContaining({
        problems: [`services.ai.url: ${problem}`],
      } satisfies Partial<ServicesConfigurationError>),
    )
  })
})

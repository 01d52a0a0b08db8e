import { describe, expect, it } from 'vitest'
import { createServices, type ServicesConfigurationError } from '../../src/index.ts'
import { setEnv } from '../support/helpers.ts'
import { messages, problems, refusals } from './messages.ts'
import { blocksOf, pageAt, read, tableOf } from './pages.ts'

describe('messages are shown as they are printed:', () => {
  const shown = blocksOf('text')

  it.each(Object.entries(messages))('%s', async (name, make) => {
    const blocks = shown.filter((block) => block.name === name)
    expect(blocks.length).toBeGreaterThan(0)
    const message = await make()
    for (const { code } of blocks) expect(code).toBe(`${message}\n`)
  })

  it('and no other one is', () => {
    expect(shown.map(({ name }) => name).filter((name) => messages[name] === undefined)).toEqual([])
  })
})

describe('what is refused before it is sent:', () => {
  const rows = tableOf(pageAt('docs/security.md'), '', 'message, after service, method and path')

  it.each(rows)('%s', async (name = '', message) => {
    expect(`\`${await refusals[name]?.()}\``).toBe(message)
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

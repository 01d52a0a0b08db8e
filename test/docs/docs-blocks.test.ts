import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { blocksOf, read, root } from './pages.ts'

/** Modules that hold a block of the documents each, with what it needs and what it must do. */
const FOLDER = 'test/docs/blocks'

const blocks = blocksOf('ts').filter(({ name }) => !name.includes('/'))

it.each(blocks)('$page: $name runs as it is shown', async ({ name, code }) => {
  const [, shown] = /^\/\/ #region\n\n([\s\S]*?)\n\/\/ #endregion$/m.exec(read(`${FOLDER}/${name}.ts`)) ?? []
  expect(code).toBe(shown)
  await import(`./blocks/${name}.ts`)
})

it('each module of a block is shown on a page', () => {
  const files = readdirSync(join(root, FOLDER)).map((file) => file.replace(/\.ts$/, ''))
  expect(files.toSorted()).toEqual(blocks.map(({ name }) => name).toSorted())
})

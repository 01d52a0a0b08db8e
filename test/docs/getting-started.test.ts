import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { pageAt, root } from './pages.ts'

it('the program of the first steps prints what their page shows', { timeout: 15_000 }, async () => {
  const { code = '' } = pageAt('docs/getting-started.md').blocks.find(({ language }) => language === 'console') ?? {}
  const [command, ...lines] = code.split('\n')
  expect(command).toBe('$ node local.ts')
  const program = join(root, 'examples', 'getting-started', 'local.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env: {}, timeout: 14_000 })
  expect(stdout.split('\n')).toEqual(lines)
})

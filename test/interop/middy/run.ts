/** Runs `modes.test.ts` as in a project that has installed the packed package, once with Middy 6 and once with Middy 7. */
import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { createProject, root } from '../../platform/package/project.ts'

/** What the tests import beside the package and its dependencies. */
const TOOLS = ['vitest', '@aws/durable-execution-sdk-js-testing']

for (const [major, source] of Object.entries({ 6: 'middy6', 7: '@middy/core' })) {
  const { folder, remove } = createProject({
    ...Object.fromEntries(TOOLS.map((name) => [name, name])),
    '@middy/core': source,
  })
  try {
    copyFileSync(join(import.meta.dirname, 'modes.test.ts'), join(folder, 'modes.test.ts'))
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
    const env = { ...process.env, MIDDY_MAJOR: major }
    execFileSync(process.execPath, [vitest, 'run', '--root', folder], { cwd: folder, env, stdio: 'inherit' })
  } finally {
    remove()
  }
}

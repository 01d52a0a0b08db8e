import { join, relative } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { resolve } from '../../../vitest.config.ts'

const root = join(import.meta.dirname, '../../..')

/** Tests that run for the mutants of a folder, beside the folder's own unit tests. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  client: [
    ...['attempts', 'call-report', 'hostile/hooks', 'pending-calls', 'resilience', 'secrets', 'service-kinds'],
    ...['signed-services', 'streams', 'time-bounds', 'trace-header'],
  ],
  errors: ['call-report', 'resilience', 'secrets', 'service-kinds'],
  middleware: ['middy-internals', 'pending-calls', 'signed-services', 'streams'],
  'request-signer': ['request-signer'],
  signing: ['healing', 'hostile/clock', 'hostile/credentials', 'service-kinds'],
  transport: ['endpoint', 'foreign-responses'],
}

const LEFT_OUT = 3

/**
 * Runs the unit test of a mutated file first, then those of its folder, then the tests named above: the first that
 * fails ends a mutant's run. Of the transport's mutants, tests of other folders detected one in a hundred; each that
 * survives would take a minute instead of seconds.
 */
class NearestFirst extends BaseSequencer {
  override async sort(tests: TestSpecification[]): Promise<TestSpecification[]> {
    // Stryker's names for the mutated file, or for all files in its first run.
    const sources = (this.ctx.config.related ?? []).map((file) => relative(root, file))
    const ranked = tests.map((test) => ({ test, rank: Math.min(...sources.map((source) => rankOf(test, source))) }))
    return ranked
      .filter(({ rank }) => rank < LEFT_OUT)
      .sort((a, b) => a.rank - b.rank)
      .map(({ test }) => test)
  }
}

function rankOf({ moduleId }: TestSpecification, source: string): number {
  const test = relative(root, moduleId)
  const name = source.replace(/^src\/(.*)\.ts$/, '$1')
  const folder = name.split('/')[0] as string
  if (test === `test/unit/${name}.test.ts`) return 0
  if (test.startsWith(`test/unit/${folder}/`)) return 1
  return ALSO[folder]?.some((other) => test === `test/behaviour/${other}.test.ts`) ? 2 : LEFT_OUT
}

/** Only tests that run in this process: tests of pages and of child processes do not load mutants. */
export default defineConfig({
  resolve,
  root,
  test: {
    // Longer than any of these tests takes. A mutant that waits forever ends here.
    testTimeout: 3000,
    include: ['test/unit/**/*.test.ts', 'test/behaviour/**/*.test.ts'],
    // The test that searches many outputs takes longer than all others together.
    exclude: ['test/unit/structure.test.ts', 'test/unit/cli/secrets.test.ts'],
    sequence: { sequencer: NearestFirst },
  },
})

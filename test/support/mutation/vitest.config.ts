import { join, relative } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { resolve } from '../../../vitest.config.ts'

const root = join(import.meta.dirname, '../../..')

/** Tests that take seconds, by the beginnings of their paths. */
const SLOW = [
  ...['cli/', 'testing/', 'transport/freeze-guard', 'transport/keep-alive', 'transport/node-transport'].map(
    (path) => `test/unit/${path}`,
  ),
  ...['fault-mapping', 'healing', 'hostile/', 'pending-calls', 'service-kinds', 'streams', 'time-bounds'].map(
    (path) => `test/behaviour/${path}`,
  ),
]

/** Slow tests of behaviour that run for a folder of `src` all the same. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  client: ['hostile/hooks', 'pending-calls', 'service-kinds', 'streams', 'time-bounds'],
  errors: ['healing', 'service-kinds'],
  middleware: ['pending-calls', 'streams'],
  signing: ['healing', 'hostile/clock', 'hostile/credentials', 'service-kinds'],
}

const LEFT_OUT = 4

/**
 * Runs the test of a mutated file first, then those of its folder, then the others: the first that fails ends a mutant's
 * run. Slow tests of other folders are left out. They would detect few mutants more, and each that survives would take
 * minutes.
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
  if (!SLOW.some((slow) => test.startsWith(slow))) return 2
  return NEEDED[folder]?.some((needed) => test === `test/behaviour/${needed}.test.ts`) ? 3 : LEFT_OUT
}

/** Only tests that run in this process: tests of pages and of child processes do not load mutants. */
export default defineConfig({
  resolve,
  root,
  test: {
    // Longer than any of these tests takes. A mutant that waits forever ends here.
    testTimeout: 3000,
    include: ['test/unit/**/*.test.ts', 'test/behaviour/**/*.test.ts', 'test/conformance/oracle.test.ts'],
    // The test that searches many outputs takes longer than all others together.
    exclude: ['test/unit/structure.test.ts', 'test/unit/cli/secrets.test.ts'],
    sequence: { sequencer: NearestFirst },
  },
})

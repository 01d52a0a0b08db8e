import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const source = (file: string) => join(import.meta.dirname, 'src', file)

/** Resolves imports of the package to its sources, so that tests and examples import it like an installed package. */
export const resolve = {
  alias: [
    { find: /^middy-signed-services$/, replacement: source('index.ts') },
    { find: /^middy-signed-services\/request-signer$/, replacement: source('request-signer.ts') },
    { find: /^middy-signed-services\/testing$/, replacement: source('testing/index.ts') },
  ],
}

/** Tests without child processes. They share processes, which load `src` once. */
const FOLDERS = ['unit', 'behaviour', 'conformance']

/** What keeps a file of them in its own process: it replaces or reloads modules, loads undici, or measures memory. */
const NOT_SHARED = /\bvi\.(mock|doMock|resetModules)\(| from 'undici'|memoryUsage\(|fuzzAnswers\(/

const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(import.meta.dirname, 'test', folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `test/${folder}/${file.replaceAll('\\', '/')}`),
)
const isShared = (file: string) => !NOT_SHARED.test(readFileSync(join(import.meta.dirname, file), 'utf8'))
const { shared = [], isolated = [] } = Object.groupBy(files, (file) => (isShared(file) ? 'shared' : 'isolated'))

const common = {
  // A test that takes longer hangs. On a busy machine, the default of five seconds is too short.
  testTimeout: 20_000,
  // More than cores: tests wait for programs and timers for about a third of their time.
  maxWorkers: availableParallelism() + 1,
}

// Halves the CPU time in which workers, and the programs that tests start, load their modules.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'middy-signed-services-compile-cache')

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        test: {
          ...common,
          name: 'isolated',
          include: ['test/{docs,interop,load,platform}/**/*.test.ts', ...isolated],
          exclude: ['test/interop/jest/project/**'],
        },
      },
      {
        extends: './examples/tests/vitest.config.ts',
        resolve,
        test: { ...common, name: 'examples', include: ['examples/tests/**/*.test.ts'] },
      },
      {
        extends: './examples/getting-started/vitest.config.ts',
        resolve,
        test: { ...common, name: 'getting-started', include: ['examples/getting-started/**/*.test.ts'] },
      },
      {
        resolve,
        test: {
          ...common,
          name: 'shared',
          include: shared,
          isolate: false,
          setupFiles: 'test/support/shared-process.ts',
          // After the others: a process is used for its next file only if that belongs to the same project.
          sequence: { groupOrder: 1 },
        },
      },
    ],
    coverage: {
      include: ['src/**/*.ts'],
      reporter: ['text'],
      thresholds: { 100: true },
    },
  },
})

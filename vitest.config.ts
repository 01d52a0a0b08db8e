import { availableParallelism } from 'node:os'
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

export default defineConfig({
  test: {
    // Vitest leaves a core free, which on two cores takes twice as long.
    maxWorkers: availableParallelism(),
    projects: [
      {
        resolve,
        test: {
          name: 'package',
          include: ['test/**/*.test.ts'],
          exclude: ['test/interop/jest/project/**'],
          // A test that hangs. On a busy machine, the default of five seconds is too short.
          testTimeout: 20_000,
        },
      },
      {
        extends: './examples/tests/vitest.config.ts',
        resolve,
        test: { name: 'examples', include: ['examples/tests/**/*.test.ts'] },
      },
      {
        extends: './examples/getting-started/vitest.config.ts',
        resolve,
        test: { name: 'getting-started', include: ['examples/getting-started/**/*.test.ts'] },
      },
    ],
    coverage: {
      include: ['src/**/*.ts'],
      reporter: ['text'],
      thresholds: { 100: true },
    },
  },
})

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
const SHARED = 'test/{unit,behaviour,conformance}/**/*.test.ts'

/** Exceptions: tests that replace or reload a module, load undici, or measure the memory of their process. */
const EXCEPTIONS = [
  'test/behaviour/foreign-responses.test.ts',
  'test/behaviour/hostile/bodies.test.ts',
  'test/conformance/fuzz.test.ts',
  'test/unit/errors/missing-hints.test.ts',
  'test/unit/signing/credentials.test.ts',
  'test/unit/signing/send-signed.test.ts',
  'test/unit/transport/fetch-transport.test.ts',
  'test/unit/transport/received-response.test.ts',
  'test/unit/transport/unread-response.test.ts',
]

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
          include: ['test/{docs,interop,load,platform}/**/*.test.ts', ...EXCEPTIONS],
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
          include: [SHARED],
          exclude: EXCEPTIONS,
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

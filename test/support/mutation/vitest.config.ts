import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { resolve } from '../../../vitest.config.ts'

/** Only tests that run in this process: tests of pages and of child processes do not load mutants. */
export default defineConfig({
  resolve,
  root: join(import.meta.dirname, '../../..'),
  test: {
    // Longer than any of these tests takes. A mutant that waits forever ends here.
    testTimeout: 3000,
    include: ['test/unit/**/*.test.ts', 'test/behaviour/**/*.test.ts', 'test/conformance/oracle.test.ts'],
    // The test that searches many outputs takes longer than all others together.
    exclude: ['test/unit/structure.test.ts', 'test/unit/cli/secrets.test.ts'],
  },
})

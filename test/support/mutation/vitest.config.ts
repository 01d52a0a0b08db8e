import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { resolve } from '../../../vitest.config.ts'

/** Tests that run in this process: those of pages and of child processes see no mutant. */
export default defineConfig({
  resolve,
  root: join(import.meta.dirname, '../../..'),
  test: {
    // Longer than any of these tests may take; what a mutant makes wait for ever waits that long.
    testTimeout: 3000,
    include: ['test/unit/**/*.test.ts', 'test/behaviour/**/*.test.ts', 'test/conformance/oracle.test.ts'],
    // The search of many outputs takes longer than all others together.
    exclude: ['test/unit/structure.test.ts', 'test/unit/cli/secrets.test.ts'],
  },
})

/** `npm run test:mutation` finds wrong changes of `src` that the tests do not detect. */
export default {
  testRunner: 'vitest',
  vitest: { configFile: 'test/support/mutation/vitest.config.ts' },
  mutate: ['src/**/*.ts', '!src/**/index.ts', '!src/cli/help.ts'],
  // One more than the machine's two cores: a mutant that waits forever does not use its core.
  concurrency: 3,
  // Each mutant starts a worker, whose young objects are not worth collecting: a third less CPU time.
  testRunnerNodeArgs: ['--min-semi-space-size=64', '--max-semi-space-size=64'],
  // For endless loops. A test that waits forever exceeds vitest's timeout.
  timeoutMS: 5_000,
  thresholds: { high: 100, low: 95, break: 95 },
  reporters: ['progress-append-only', 'clear-text', 'html', 'json'],
  clearTextReporter: { logTests: false, reportTests: false },
  // Stryker cannot read TypeScript 7's configuration, and does not need it. A missing file prevents the attempt.
  tsconfigFile: 'none',
}

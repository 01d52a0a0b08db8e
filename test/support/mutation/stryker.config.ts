/** `npm run test:mutation`: which wrong changes of `src` the tests do not notice. */
export default {
  testRunner: 'vitest',
  vitest: { configFile: 'test/support/mutation/vitest.config.ts' },
  mutate: ['src/**/*.ts', '!src/**/index.ts'],
  // On two cores: what a mutant makes wait for ever leaves its core to the others.
  concurrency: 3,
  // For loops without end. A test that waits for ever fails by vitest's own limit.
  timeoutMS: 5_000,
  thresholds: { high: 100, low: 95, break: 95 },
  reporters: ['progress-append-only', 'clear-text', 'html', 'json'],
  clearTextReporter: { logTests: false, reportTests: false },
  // Stryker cannot read TypeScript 7's configuration, and needs none: a file that is not there keeps it from trying.
  tsconfigFile: 'none',
}

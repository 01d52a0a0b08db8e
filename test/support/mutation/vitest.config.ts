import { basename, join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { resolve } from '../../../vitest.config.ts'

/**
 * Tests that run in this process, in the order of their duration. Those of pages and of child processes see no mutant,
 * those that wait long or repeat what others hold would keep the run from its end.
 */
const TESTS = [
  ...['canonical-request', 'lazy-services', 'base-url', 'attempt', 'verify-signature', 'small', 'outgoing'],
  ...['watched-response', 'endpoint', 'retry', 'options', 'internals', 'secrets', 'ky-options', 'refusal'],
  ...['oracle', 'call-report', 'client', 'signed-fetch', 'circuit-breaker', 'mock-services', 'credentials'],
  ...['docs-messages', 'signed-services', 'failure', 'trace-header', 'request-signer', 'wire-url', 'faults'],
  ...['local-gateway', 'healing', 'resilience'],
]

/** Tests that take seconds: they run for the sources that name them below, and for their own. */
const SLOW_TESTS = ['catch-up', 'connections', 'undici', 'pending-calls', 'time-bounds']

/** What notices a source's mutants after the test of its own name, the likeliest first; `*` stands for all quick ones. */
const LIKELY_TESTS: Readonly<Record<string, readonly string[]>> = {
  abort: ['small', 'failure', 'signed-services', '*', 'time-bounds'],
  attempt: ['client', 'failure', 'resilience', '*', 'time-bounds'],
  call: ['client', 'failure', 'signed-services', '*', 'pending-calls', 'time-bounds'],
  'call-promise': ['pending-calls'],
  'catch-up': ['connections'],
  client: ['call-report', '*', 'time-bounds'],
  clock: ['small', 'healing'],
  config: ['options'],
  connections: ['catch-up'],
  'content-coding': ['undici'],
  deadline: ['small', 'signed-services', '*', 'time-bounds'],
  errors: ['failure', 'options', 'call-report', 'docs-messages', 'request-signer', 'refusal'],
  exchange: ['undici'],
  failure: ['secrets', '*', 'pending-calls'],
  'fault-list': ['faults', 'local-gateway'],
  faults: ['local-gateway'],
  'gateway-answer': ['faults', 'local-gateway'],
  hint: ['refusal'],
  'invoke-options': ['request-signer'],
  'ky-options': ['client', 'resilience', 'options'],
  'mock-env': ['mock-services'],
  node: ['watched-response', 'connections', 'catch-up'],
  'received-body': ['undici'],
  'received-response': ['undici'],
  redact: ['secrets'],
  refusal: ['healing'],
  'request-signer': ['*', 'time-bounds'],
  'retry-after': ['retry'],
  'retry-quota': ['retry', 'resilience'],
  retry: ['resilience'],
  routes: ['faults', 'local-gateway'],
  'service-variable': ['small', 'options'],
  services: ['client', 'internals', 'signed-services', 'resilience', '*', 'pending-calls'],
  settle: ['client', 'failure', 'call-report', 'circuit-breaker', 'resilience', '*', 'pending-calls', 'time-bounds'],
  sha256: ['small'],
  signature: ['signed-fetch', 'oracle', 'wire-url', 'local-gateway'],
  'signed-fetch': ['healing', '*', 'connections', 'catch-up'],
  'signed-requests': ['faults', 'local-gateway'],
  'signed-services': ['pending-calls'],
  'signing-channel': ['local-gateway'],
  target: ['client', 'wire-url'],
  trace: ['small', 'trace-header'],
  'verify-signature': ['local-gateway'],
  'watched-response': ['client', '*', 'time-bounds'],
}

/** The first failure ends a mutant: the likeliest tests come first, then the other quick ones. */
class LikelyFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    // All sources for the first run, of which nothing is mutated yet.
    const mutated = (this.ctx.config.related ?? []).map((file) => basename(file, '.ts'))
    const likely = mutated.flatMap((source) => [source, ...(LIKELY_TESTS[source] ?? []), '*'])
    const order = likely.flatMap((name) => (name === '*' ? TESTS : [name]))
    const rank = ({ moduleId }: TestSpecification) => order.indexOf(basename(moduleId, '.test.ts'))
    return specifications.filter((test) => rank(test) >= 0).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  resolve,
  root: join(import.meta.dirname, '../../..'),
  test: {
    // Longer than any of these tests may take; what a mutant makes wait for ever waits that long.
    testTimeout: 3000,
    include: [...TESTS, ...SLOW_TESTS].map((name) => `test/**/${name}.test.ts`),
    sequence: { sequencer: LikelyFirst },
  },
})

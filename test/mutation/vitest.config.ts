import { basename, join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { resolve } from '../../vitest.config.ts'

/**
 * Tests that run in this process, in the order of their duration. Those of pages and of child processes see no mutant,
 * those that wait long or repeat what others hold would keep the run from its end.
 */
const TESTS = [
  ...['canonical-request', 'outgoing', 'small', 'verify-signature', 'base-url', 'options', 'watched-response', 'retry'],
  ...['refusal', 'endpoint', 'internals', 'signed-fetch', 'oracle', 'call-report', 'secrets', 'circuit-breaker'],
  ...['client', 'mock-services', 'credentials', 'signed-services', 'trace-header', 'request-signer', 'failure'],
  ...['lazy-services', 'docs-messages', 'wire-url', 'resilience', 'faults', 'healing'],
]

/** Tests that take seconds, with the sources whose mutants they are for. */
const SLOW_TESTS: Readonly<Record<string, readonly string[]>> = {
  'catch-up': ['catch-up', 'connections'],
  'local-gateway': ['fault-list', 'faults', 'gateway-answer', 'local-gateway', 'routes', 'signed-requests'],
  'pending-calls': ['call', 'failure', 'pending-calls', 'services', 'settle', 'signed-services'],
  'time-bounds': ['abort', 'attempt', 'call', 'client', 'deadline', 'request-signer', 'settle', 'watched-response'],
  connections: ['catch-up', 'connections'],
  undici: ['content-coding', 'exchange', 'received-body', 'received-response', 'undici'],
}

/** The first failure ends a mutant: tests of its own file come first, then the others, quick ones before slow ones. */
class LikelyFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const mutated = (this.ctx.config.related ?? []).map((file) => basename(file, '.ts'))
    const rank = ({ moduleId }: TestSpecification) => {
      const name = basename(moduleId, '.test.ts')
      if (mutated.includes(name)) return 0
      const sources = SLOW_TESTS[name]
      if (sources === undefined) return 1 + TESTS.indexOf(name)
      return sources.some((source) => mutated.includes(source)) ? TESTS.length + 1 : Number.NaN
    }
    const ranked = specifications.map((specification) => ({ specification, at: rank(specification) }))
    return ranked
      .filter(({ at }) => !Number.isNaN(at))
      .sort((a, b) => a.at - b.at)
      .map(({ specification }) => specification)
  }
}

export default defineConfig({
  resolve,
  root: join(import.meta.dirname, '../..'),
  test: {
    include: [...TESTS, ...Object.keys(SLOW_TESTS)].map((name) => `test/${name}.test.ts`),
    sequence: { sequencer: LikelyFirst },
  },
})

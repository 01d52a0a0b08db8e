/**
 * `npm run bench:check` measures everything with a bound, and exits with 1 if a bound is exceeded.
 * `npm run bench:check -- --only tls` measures one suite. The option can be repeated.
 */
import { parseArgs } from 'node:util'
import { measureCold } from './cold.ts'
import type { Summary } from './stats.ts'
import { LARGE, measureCalls, measureCrowds, measureInvocations, measureMemory, measureSigning } from './suites.ts'

interface Bound {
  readonly what: string
  readonly measured: number
  readonly bound: number
  /** The medians that `measured` was computed from. */
  readonly of: string
}

const suites: Readonly<Record<string, () => Promise<Bound[]>>> = {
  async calls() {
    const peers = ['aws4fetch', 'aws-sigv4-fetch'] as const
    const calls = await measureCalls([
      'fetch, unsigned',
      'ky, unsigned',
      'client',
      'client.fetch',
      'createSignedFetch',
      ...peers,
    ])
    const peer = calls.of(peers[0], 'cpu') < calls.of(peers[1], 'cpu') ? peers[0] : peers[1]
    return [
      ratio('signed call through the client / unsigned ky call, CPU', 0.9, calls, 'client', 'ky, unsigned', 'cpu'),
      ratio(`the same / the fastest signing peer on fetch (${peer})`, 0.8, calls, 'client', peer, 'cpu'),
      ratio('.fetch signed / unsigned fetch, CPU', 0.95, calls, 'client.fetch', 'fetch, unsigned', 'cpu'),
      ratio('createSignedFetch / unsigned fetch, CPU', 0.85, calls, 'createSignedFetch', 'fetch, unsigned', 'cpu'),
    ]
  },

  async cold() {
    const { bytes, times } = await measureCold(['fetch, unsigned', 'client'], 60)
    return [
      ratio('first response, cold / unsigned fetch', 1.1, times, 'client', 'fetch, unsigned', 'ms'),
      { what: 'loaded at start, minified, KB', measured: bytes.client / 1000, bound: 90, of: `${bytes.client} bytes` },
    ]
  },

  async memory() {
    const memory = await measureMemory()
    return (['bytes', 'text'] as const).map((kind) => ({
      what: `peak memory of a 5 MB body / its size, ${kind}`,
      measured: memory.of(kind, 'peak') / LARGE,
      bound: 2.5,
      of: `${(memory.of(kind, 'peak') / 1e6).toFixed(1)} MB`,
    }))
  },

  async invocation() {
    const invocations = await measureInvocations()
    return [
      {
        what: 'invocation with four services beyond an empty Middy handler, us',
        measured: invocations.difference('with', 'without', 'cpu'),
        bound: 10,
        of: `${invocations.of('with', 'cpu').toFixed(2)} - ${invocations.of('without', 'cpu').toFixed(2)} us`,
      },
    ]
  },

  async signing() {
    const signing = await measureSigning(['signing alone', 'bare hashes'], 256)
    return [ratio('signing alone, 256 B / bare hashes, CPU', 1, signing, 'signing alone', 'bare hashes', 'cpu')]
  },

  async tls() {
    const crowds = await measureCrowds(['fetch, unsigned', 'client'])
    const what = '1,000 calls at once over TLS, cold connections, wall time / unsigned fetch'
    return [ratio(what, 0.8, crowds, 'client', 'fetch, unsigned', 'wall')]
  },
}

const UNITS: Readonly<Record<string, string>> = { cpu: 'us', wall: 'ms', ms: 'ms' }

function ratio<Name extends string, What extends string>(
  what: string,
  bound: number,
  measured: Summary<Name, What>,
  name: Name,
  reference: Name,
  column: What,
): Bound {
  const [a, b] = [measured.of(name, column), measured.of(reference, column)].map((value) => value.toFixed(1))
  return { what, measured: measured.ratio(name, reference, column), bound, of: `${a} / ${b} ${UNITS[column]}` }
}

const { only = Object.keys(suites) } = parseArgs({ options: { only: { type: 'string', multiple: true } } }).values
const bounds: Bound[] = []
for (const name of only) {
  const suite = suites[name]
  if (suite === undefined) throw new Error(`no suite ${name}; the suites are ${Object.keys(suites).join(', ')}`)
  bounds.push(...(await suite()))
}

console.log(`Node.js ${process.versions.node}\n`)
console.log('| what | measured | bound | holds | medians |\n|---|---:|---:|---|---|')
for (const { what, measured, bound, of } of bounds) {
  const holds = measured <= bound ? 'yes' : 'NO'
  console.log(`| ${what} | ${measured.toFixed(2)} | ${bound.toFixed(2)} | ${holds} | ${of} |`)
}
process.exitCode = bounds.every(({ measured, bound }) => measured <= bound) ? 0 : 1

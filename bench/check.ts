/** `npm run bench:check`: measures what has a bound, and exits with 1 when one does not hold. */
import { measureCold } from './cold.ts'
import { measureMemory } from './memory.ts'
import { measureCalls, measureInvocations, measureSigning } from './suites.ts'

interface Bound {
  readonly what: string
  readonly measured: number
  readonly bound: number
  readonly unit?: string
}

const BODY = 5_000_000

const calls = await measureCalls([
  'fetch, unsigned',
  'ky, unsigned',
  'client',
  'client.fetch',
  'aws4fetch',
  'aws-sigv4-fetch',
])
const peer = calls.of('aws4fetch') < calls.of('aws-sigv4-fetch') ? 'aws4fetch' : 'aws-sigv4-fetch'
const signing = await measureSigning(['signing alone', 'bare hashes', 'bare hashes, one-shot'], 256)
const invocations = await measureInvocations()
const cold = await measureCold(['fetch, unsigned', 'client'], 60)
const memory = await measureMemory(
  { bytes: { client: 'client', size: BODY }, text: { client: 'client', size: BODY, isText: true } },
  7,
)

const bounds: readonly Bound[] = [
  {
    what: 'signed call through the client / unsigned ky call, CPU',
    measured: calls.ratio('client', 'ky, unsigned'),
    bound: 1,
  },
  { what: `the same / the fastest signing peer on fetch (${peer})`, measured: calls.ratio('client', peer), bound: 0.8 },
  {
    what: '.fetch signed / unsigned fetch, CPU',
    measured: calls.ratio('client.fetch', 'fetch, unsigned'),
    bound: 1.25,
  },
  {
    what: 'signing alone, 256 B body / bare hashes',
    measured: signing.ratio('signing alone', 'bare hashes'),
    bound: 1.8,
  },
  {
    what: 'Middy handler with the middleware / without, no client touched',
    measured: invocations.ratio('none', 'without'),
    bound: 1.5,
  },
  { what: 'the same, one client touched', measured: invocations.ratio('one', 'without'), bound: 4 },
  {
    what: 'first answered call, cold / unsigned fetch',
    measured: cold.ratio('client', 'fetch, unsigned'),
    bound: 1.15,
  },
  {
    what: 'loaded at start, bundled, provider chain apart',
    measured: cold.bytes.client / 1000,
    bound: 100,
    unit: ' KB',
  },
  { what: 'peak memory of a 5 MB body / its size, bytes', measured: memory.bytes.resident, bound: 3 },
  { what: 'peak memory of a 5 MB body / its size, text', measured: memory.text.resident, bound: 3 },
]

console.log(`Node.js ${process.versions.node}\n`)
console.log('| what | measured | bound | held |\n|---|---|---|---|')
for (const { what, measured, bound, unit = '' } of bounds) {
  const digits = unit === '' ? 2 : 1
  console.log(
    `| ${what} | ${measured.toFixed(digits)}${unit} | ${bound.toFixed(digits)}${unit} | ${measured <= bound ? 'yes' : 'NO'} |`,
  )
}
console.log(`
CPU of a call: ${calls.of('client').toFixed(0)} us through the client, ${calls.of('client.fetch').toFixed(0)} us through its .fetch,\
 ${calls.of('ky, unsigned').toFixed(0)} us by ky, ${calls.of('fetch, unsigned').toFixed(0)} us by fetch,\
 ${calls.of(peer).toFixed(0)} us by ${peer}.
Signing alone: ${signing.of('signing alone').toFixed(1)} us, bare hashes ${signing.of('bare hashes').toFixed(1)} us, with one-shot hashes\
 ${signing.of('bare hashes, one-shot').toFixed(1)} us.
Invocation: ${invocations.of('without').toFixed(1)} us without the middleware, ${invocations.of('nothing').toFixed(1)} us with one that does nothing, ${invocations.of('none').toFixed(1)} us with ours,\
 ${invocations.of('one').toFixed(1)} us with one client.
First answer: ${cold.time('client').toFixed(1)} ms, by fetch ${cold.time('fetch, unsigned').toFixed(1)} ms.`)
process.exitCode = bounds.every(({ measured, bound }) => measured <= bound) ? 0 : 1

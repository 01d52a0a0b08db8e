/**
 * `npm run bench` measures calls, cold starts, signing, invocations and growth, beside other clients. It prints tables and
 * draws charts into `docs`. `npm run bench -- --write` also writes the tables into `docs/performance.md`.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { barChart, lineChart, type Tone } from './chart.ts'
import { coldNames, measureCold } from './cold.ts'
import { measureGrowth } from './growth.ts'
import { machine, root, table, versionOf, writeToPage } from './report.ts'
import type { Measured } from './rounds.ts'
import type { SignerName } from './signing.ts'
import { measureCalls, measureCrowds, measureInvocations, measureSigning, sizes } from './suites.ts'

const OURS = 'middy-signed-services'

const labels = {
  'aws4 + undici.request': `aws4 ${versionOf('aws4')} + undici ${versionOf('undici')} \`request\``,
  'fetch, unsigned': '`fetch`, unsigned',
  'ky, unsigned': `ky ${versionOf('ky')}, unsigned`,
  createSignedFetch: `**${OURS}, \`createSignedFetch\`**`,
  'client.fetch': `**${OURS}, \`.fetch\`**`,
  client: `**${OURS}, client**`,
  'Middy handler, client': `**${OURS}, client in a Middy handler**`,
  'aws-sigv4-fetch': `aws-sigv4-fetch ${versionOf('aws-sigv4-fetch')}`,
  aws4fetch: `aws4fetch ${versionOf('aws4fetch')}`,
  'aws4-axios': `aws4-axios ${versionOf('aws4-axios')} + axios ${versionOf('axios')}`,
} as const

const signerLabels: Readonly<Record<SignerName, string>> = {
  'bare hashes': 'only the hashes',
  'signing alone': `**${OURS}**`,
  aws4: `aws4 ${versionOf('aws4')}`,
  aws4fetch: `aws4fetch ${versionOf('aws4fetch')}`,
  '@smithy/signature-v4': `@smithy/signature-v4 ${versionOf('@smithy/signature-v4')} with @aws-crypto/sha256-js`,
}

const keysOf = <Key extends string>(record: Readonly<Record<Key, unknown>>) => Object.keys(record) as Key[]
const names = keysOf(labels)
const signers = keysOf(signerLabels)

const calls = await measureCalls(names)
const crowds = await measureCrowds(names)
const signing: Measured<SignerName>[] = []
for (const size of sizes) signing.push(await measureSigning(signers, size))
const invocations = await measureInvocations()
const cold = await measureCold(coldNames, 40)
const growth = await measureGrowth()

const number = (value: number, digits = 0) =>
  value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
const byCpu = names.toSorted((a, b) => calls.of(a, 'cpu') - calls.of(b, 'cpu'))
const versions = ['@middy/core', 'esbuild'].map((name) => `${name} ${versionOf(name)}`).join(', ')

const report = `
Measured with ${machine()}, ${versions}.

### Calls

Each call is a JSON \`POST\` of 256 bytes, signed unless the table says otherwise. The first four columns show one call at a
time over plain HTTP on loopback. The last two show 1,000 calls at once over TLS, from a process without open connections.
The table is sorted by CPU time.

${table(
  [
    'client',
    'CPU, us',
    'CPU / `fetch`',
    'median latency, us',
    '99th percentile, us',
    '1,000 over TLS: CPU per call, us',
    '1,000 over TLS: total time, ms',
  ],
  byCpu.map((name) => [
    labels[name],
    number(calls.of(name, 'cpu')),
    number(calls.ratio(name, 'fetch, unsigned', 'cpu'), 2),
    number(calls.of(name, 'latency')),
    number(calls.of(name, 'p99')),
    number(crowds.of(name, 'cpu')),
    number(crowds.of(name, 'wall')),
  ]),
)}

![CPU per call by client](bench.svg)

### Cold start

Each program is bundled by esbuild's defaults as a minified ES module. The time runs from the start of the process to the
first response. The size is the code that loads before the program runs, without what \`import()\` loads later.

${table(
  ['program', 'first response, ms', 'time / `fetch`', 'loaded at start, KB'],
  coldNames
    .toSorted((a, b) => cold.times.of(a, 'ms') - cold.times.of(b, 'ms'))
    .map((name) => [
      name === 'Middy handler, fetch' ? '`fetch` in a Middy handler' : labels[name],
      number(cold.times.of(name, 'ms'), 1),
      number(cold.times.ratio(name, 'fetch, unsigned', 'ms'), 2),
      number(cold.bytes[name] / 1000, 1),
    ]),
)}

### Signing

CPU time in us to sign one request without sending it, by the size of its body. The first row is the three hashes that every
signature needs; it computes them in the usual way, with \`createHash\`.

${table(
  ['signer', '0 B', '256 B', '64 KB', '1 MB'],
  signers.map((signer) => [
    signerLabels[signer],
    ...signing.map((measured) => {
      const cpu = measured.of(signer, 'cpu')
      return number(cpu, cpu < 100 ? 1 : 0)
    }),
  ]),
)}

### Invocations

One invocation of a Middy handler that sends no request takes ${number(invocations.of('without', 'cpu'), 2)} us of CPU time without middleware, and
${number(invocations.of('with', 'cpu'), 2)} us with ${OURS} and four services.

### Growth

The table shows how CPU time grows with concurrency, with the size of the body, and with the number of services. The exponent
describes the last factor of ten: at 0 the cost is constant, at 1 it grows in proportion.

${table(['CPU time of', 'measured for', 'from', 'to', 'exponent'], growth.rows)}

![Growth with concurrency, body size and number of services](growth.svg)
`

const toneOf = (name: keyof typeof labels): Tone =>
  labels[name].includes(OURS) ? 'ours' : name.endsWith('unsigned') ? 'unsigned' : 'peer'
const charts = {
  'bench.svg': barChart(
    'CPU of one JSON POST over loopback',
    'us',
    byCpu.map((name) => ({
      label: labels[name].replace(`${OURS}, `, '').replaceAll(/[*`]/g, ''),
      value: calls.of(name, 'cpu'),
      tone: toneOf(name),
    })),
    { ours: OURS, unsigned: 'unsigned', peer: 'other signers' },
  ),
  'growth.svg': lineChart('Growth', growth.panels),
}
for (const [file, chart] of Object.entries(charts)) writeFileSync(join(root, 'docs', file), chart)
console.log(report)
if (process.argv.includes('--write')) writeToPage(report)

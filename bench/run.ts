/**
 * `npm run bench` measures calls, cold starts, signing, invocations and growth, and compares them with other clients.
 * It prints tables and draws charts into `docs`. With `--write`, it also writes the tables into the README.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { barChart, lineChart, type Tone } from './chart.ts'
import { coldNames, measureCold } from './cold.ts'
import { measureGrowth } from './growth.ts'
import { machine, root, table, versionOf, writeToReadme } from './report.ts'
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
  'bare hashes': 'the hashes alone',
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
\`npm run bench\` on ${machine()}, ${versions}.

One signed JSON \`POST\` of 256 bytes over loopback, to a server in another process; then 1,000 at once over TLS, by a
process that has no connection yet:

${table(
  ['client', 'CPU, us', '/ `fetch`', 'median, us', '99th, us', '1,000 over TLS: CPU each, us', 'all, ms'],
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

![CPU per call by client](docs/bench.svg)

Cold start, bundled by esbuild's defaults (ES modules, minified): from the start of the process to the first response.

${table(
  ['program', 'first response, ms', '/ `fetch`', 'loaded at start, KB'],
  coldNames
    .toSorted((a, b) => cold.times.of(a, 'ms') - cold.times.of(b, 'ms'))
    .map((name) => [
      name === 'Middy handler, fetch' ? '`fetch` in a Middy handler' : labels[name],
      number(cold.times.of(name, 'ms'), 1),
      number(cold.times.ratio(name, 'fetch, unsigned', 'ms'), 2),
      number(cold.bytes[name] / 1000, 1),
    ]),
)}

Signing alone, CPU in us, by the size of the body:

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

An invocation of a Middy handler that sends no request, CPU: ${number(invocations.of('without', 'cpu'), 2)} us without middleware,
${number(invocations.of('with', 'cpu'), 2)} us with ${OURS} and four services.

Growth of CPU time. The power is that of the last factor of ten: 0 is flat, 1 is linear.

${table(['of', 'with', 'from', 'to', 'power'], growth.rows)}

![Growth with concurrency, body size and number of services](docs/growth.svg)
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
mkdirSync(join(root, 'docs'), { recursive: true })
for (const [file, chart] of Object.entries(charts)) writeFileSync(join(root, 'docs', file), chart)
console.log(report)
if (process.argv.includes('--write')) writeToReadme(report)

/** `npm run fuzz [count] [seed]`: random requests against the verifier, random responses, then odd URLs by several signers. */
import { createRequire } from 'node:module'
import { fuzzAnswers } from './answers.ts'
import { compareSigners, fuzz } from './fuzz.ts'
import { oddUrls } from './signers.ts'

const [count = 20_000, seed = Date.now() % 2 ** 32] = process.argv.slice(2).map(Number)
console.log(`${count} random requests, seed ${seed}`)
const report = (done: number) => done % 5000 === 0 && console.log(`  ${done} done`)
const { sent, declined, refused } = await fuzz(count, seed, report)
console.log(`${sent} sent and verified, ${refused.length} of them refused; ${declined} declined by the client\n`)
for (const request of refused.slice(0, 20)) console.log(`refused: ${request}`)

console.log(`${count} random answers`)
const { outcomes, wrong, uncaught, growth } = await fuzzAnswers(count, seed, report)
for (const [outcome, times] of outcomes) console.log(`  ${outcome}: ${times}`)
console.log(
  `${wrong.length} late or untyped, ${uncaught.length} uncaught, heap grew by ${Math.round(growth / 1024)} KB\n`,
)
for (const problem of [...wrong, ...uncaught].slice(0, 20)) console.log(`wrong: ${problem}`)

const peers = await compareSigners()
const require = createRequire(import.meta.url)
const { packages } = require('../../../package-lock.json')
console.log(`| signer | version | of ${oddUrls.length} odd URLs refused | which |\n|---|---|---|---|`)
for (const [name, urls] of peers) {
  const version = packages[`node_modules/${name}`]?.version ?? ''
  console.log(`| ${name} | ${version} | ${urls.length} | ${urls.map((url) => `\`${url}\``).join(' ')} |`)
}
process.exitCode =
  refused.length + wrong.length + uncaught.length + (peers.get('middy-signed-services')?.length ?? 1) > 0 ? 1 : 0

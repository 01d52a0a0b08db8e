/** `npm run fuzz [count] [seed]`: random requests against the verifier, then odd URLs by several signers. */
import { createRequire } from 'node:module'
import { compareSigners, fuzz } from './fuzz.ts'
import { oddUrls } from './signers.ts'

const [count = 20_000, seed = Date.now() % 2 ** 32] = process.argv.slice(2).map(Number)
console.log(`${count} random requests, seed ${seed}`)
const { sent, declined, refused } = await fuzz(
  count,
  seed,
  (done) => done % 5000 === 0 && console.log(`  ${done} done`),
)
console.log(`${sent} sent and verified, ${refused.length} of them refused; ${declined} declined by the client\n`)
for (const request of refused.slice(0, 20)) console.log(`refused: ${request}`)

const peers = await compareSigners()
const require = createRequire(import.meta.url)
const { packages } = require('../../../package-lock.json')
console.log(`| signer | version | of ${oddUrls.length} odd URLs refused | which |\n|---|---|---|---|`)
for (const [name, urls] of peers) {
  const version = packages[`node_modules/${name}`]?.version ?? ''
  console.log(`| ${name} | ${version} | ${urls.length} | ${urls.map((url) => `\`${url}\``).join(' ')} |`)
}
process.exitCode = refused.length + (peers.get('middy-signed-services')?.length ?? 1) > 0 ? 1 : 0

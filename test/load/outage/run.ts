/** `npm run outage [environments]`: the number of requests that each client sends for a call during an outage. */
import { createRequire } from 'node:module'
import { simulateOutage } from './outage.ts'

const [environments = 50] = process.argv.slice(2).map(Number)
const require = createRequire(import.meta.url)
const { packages } = require('../../../package-lock.json')

console.log(`503 for every request; ${environments} environments; requests sent per call\n`)
const young = await simulateOutage({ environments, calls: 10 })
const old = await simulateOutage({ environments, calls: 100 })
console.log('| client | GET, 10 calls each | GET, 100 calls each | POST, 10 calls each | POST, 100 calls each |')
console.log('|---|---|---|---|---|')
for (const [name, multiples] of young) {
  const version = packages[`node_modules/${name}`]?.version ?? ''
  const cells = (['GET', 'POST'] as const).flatMap((method) => [multiples[method], old.get(name)?.[method]])
  console.log(`| ${`${name} ${version}`.trim()} | ${cells.map((cell) => cell?.toFixed(2)).join(' | ')} |`)
}

/** `npm run outage [environments] [calls]`: what an outage of one service makes of its callers' requests, by client. */
import { createRequire } from 'node:module'
import { simulateOutage } from './outage.ts'

const [environments = 50, calls = 100] = process.argv.slice(2).map(Number)
const require = createRequire(import.meta.url)
const { packages } = require('../../../package-lock.json')

console.log(`503 for every answer; ${environments} environments, ${calls} calls each; requests sent per call\n`)
console.log('| client | GET | POST |\n|---|---|---|')
for (const [name, { GET, POST }] of await simulateOutage({ environments, calls })) {
  const version = packages[`node_modules/${name}`]?.version ?? ''
  console.log(`| ${`${name} ${version}`.trim()} | ${GET.toFixed(2)} | ${POST.toFixed(2)} |`)
}

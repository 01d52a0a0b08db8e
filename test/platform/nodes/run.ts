/**
 * Runs the tests, those of the packed package and its examples too, on the other Node.js versions that the package supports;
 * `npm test` runs on the version in package.json. `npm run test:nodes -- 26.10.0` runs on that version alone.
 */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const given = process.argv.slice(2)
const versions = given.length > 0 ? given : ['22.23.3', '26.10.0']
const root = join(import.meta.dirname, '..', '..', '..')

/** Tests whose result can depend on the version. `npm test` alone runs the others, of pages, options and secrets for example. */
const TESTS = [
  ...['client', 'errors', 'middleware', 'signing', 'transport'].map((folder) => `test/unit/${folder}/`),
  ...readdirSync(join(root, 'test/behaviour'))
    .map((name) => `test/behaviour/${name}`)
    .filter((path) => path.endsWith('.ts')),
  ...['bodies', 'headers', 'hooks', 'paths'].map((name) => `test/behaviour/hostile/${name}.test.ts`),
  'test/conformance/',
  ...['aws-xray', 'msw', 'nock', 'opentelemetry', 'undici'].map((name) => `test/interop/${name}`),
  ...['connections', 'freezes', 'node-version'].map((name) => `test/platform/${name}.test.ts`),
  ...['late-head', 'soak'].map((name) => `test/load/${name}.test.ts`),
  'examples/',
]

for (const version of versions) {
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-node-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "allowScripts": { "node": true } }')
    execFileSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', `node@${version}`], { cwd: folder })
    const bin = join(folder, 'node_modules', 'node', 'bin')
    const node = join(bin, 'node')
    const env = { ...process.env, NODE_WANTED: version, PATH: `${bin}${delimiter}${process.env.PATH}` }
    const run = (...args: string[]) => execFileSync(node, args, { cwd: root, env, stdio: 'inherit' })
    equal(execFileSync(node, ['--version'], { encoding: 'utf8' }).trim(), `v${version}`)
    console.log(`Node.js ${version}`)
    run(join('test', 'platform', 'package', 'check.ts'))
    run(join('node_modules', 'vitest', 'vitest.mjs'), 'run', ...TESTS)
    run(join('test', 'platform', 'bundles', 'run.ts'))
    run(join('test', 'interop', 'middy', 'run.ts'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * `npm run test:types`: compiles the declarations of the packed package with each version of TypeScript that the README
 * names, without `skipLibCheck`, and looks at what the compiler says of mistakes.
 */
import { deepStrictEqual as equal, ok } from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createProject, manifest, type Project, root } from '../package/project.ts'

const home = join(import.meta.dirname, 'versions')

/** Folders of TypeScript by version. */
const VERSIONS: Readonly<Record<string, string>> = {
  5.9: join(home, 'node_modules', 'typescript5'),
  '6.0': join(home, 'node_modules', 'typescript6'),
  '7.0': join(root, 'node_modules', 'typescript'),
}

const MODES: readonly (readonly string[])[] = [
  ['--module', 'nodenext'],
  ['--module', 'esnext', '--moduleResolution', 'bundler'],
]

/** Packages whose own types do not compile in a project that has no more than this package needs. */
const INCOMPLETE = ['@middy/core']

const ENTRIES = ['middy-signed-services', 'middy-signed-services/request-signer', 'middy-signed-services/testing']
const EVERYTHING = ENTRIES.map((entry, index) => `export * as entry${index} from '${entry}'`).join('\n')

/** Mistakes, and what the message of each must hold. */
const MISTAKES: readonly (readonly [code: string, words: readonly string[]])[] = [
  ['signedServices({ timeOut: 5 })', ["'timeOut'", "'timeout'"]],
  ["signedServices({ pendingCalls: 'wait' })", ['"await"', '"ignore"', 'number']],
  ['signedServices({ services: { ai: { timout: 5 } } })', ["'timout'", "'timeout'"]],
  ['signedServices({ services: { ai: { retry: { limt: 5 } } } })', ["'limt'", "'limit'"]],
  ['signedServices({ circuitBreaker: { failures: 3 } })', ["'failures'", "'CircuitBreakerOptions'"]],
  ['signedServices({ logger: {} })', ['info, warn, error']],
  ["createSignedFetch({ service: 's3' })", ["'region'"]],
  ["createServices({ services: ['ai'] }).admin", ["'admin'", 'ai']],
  ["fail('throtled')", ['"access-denied"', '"expired-token"']],
  ["gateway.fail('*', { fault: 'throtled' })", ['"access-denied"', '"expired-token"']],
]
const IMPORTS = `
import signedServices, { createServices, createSignedFetch } from 'middy-signed-services'
import { fail, startLocalGateway } from 'middy-signed-services/testing'
const gateway = await startLocalGateway({ services: {} })
`

install()
const project = createProject({ 'undici-types': 'undici-types' })
try {
  writeFileSync(join(project.folder, 'everything.mts'), EVERYTHING)
  writeFileSync(join(project.folder, 'mistakes.mts'), `${IMPORTS}${MISTAKES.map(([code]) => code).join('\n')}\n`)
  for (const [version, folder] of Object.entries(VERSIONS)) {
    const installed: string = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version
    ok(installed.startsWith(version), installed)
    for (const mode of MODES) checkDeclarations(project, folder, mode)
    checkMessages(project, folder)
    console.log(
      `TypeScript ${installed}: declarations compile without skipLibCheck, ${MISTAKES.length} mistakes are explained`,
    )
  }
} finally {
  project.remove()
}

/** Installs what the lock file names. These versions would take the place of the devDependency's `tsc`. */
function install(): void {
  if (existsSync(VERSIONS['6.0'] as string)) return
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: home, stdio: 'inherit' })
}

function checkDeclarations(where: Project, typescript: string, mode: readonly string[]): void {
  // With all packages of this checkout, and with those alone that a user must have.
  equal(compile(where, typescript, mode, 'everything.mts'), [])
  const messages = compile(where, typescript, [...mode, '--preserveSymlinks'], 'everything.mts')
  const owners = messages.map((message) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(message)?.[1] ?? message)
  equal([...new Set(owners)], INCOMPLETE)
  ok(!owners.includes(manifest.name))
}

function checkMessages(where: Project, typescript: string): void {
  const messages = compile(where, typescript, ['--module', 'nodenext', '--skipLibCheck'], 'mistakes.mts')
  equal(messages.length, MISTAKES.length, messages.join('\n'))
  for (const [index, [code, words]] of MISTAKES.entries()) {
    for (const word of words) ok(messages[index]?.includes(word), `${code}: ${messages[index]}`)
  }
}

/** What the compiler says, one text a problem. */
function compile({ folder }: Project, typescript: string, options: readonly string[], file: string): readonly string[] {
  const common = ['--strict', '--target', 'es2024', '--types', 'node', '--noEmit', '--pretty', 'false']
  const args = [join(typescript, 'bin', 'tsc'), ...common, ...options, file]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  const messages = stdout.split(/\n(?! )/).filter((message) => message !== '')
  ok(status === 0 || messages.length > 0, stderr)
  return messages
}

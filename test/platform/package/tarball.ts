/** Checks the tarball itself: what is in it, and what others make of its manifest and its types. */
import { deepStrictEqual as equal, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { manifest, type Project, root } from './project.ts'

const ATTW = fileURLToPath(import.meta.resolve('@arethetypeswrong/cli/package.json'))
/** Licences of the code that the build puts into `dist`. */
const NOTICES = 'dist/THIRD-PARTY-NOTICES.txt'

export async function checkTarball(project: Project): Promise<void> {
  checkFiles(project)
  checkMaps(project)
  checkImports(project)
  checkNotices(project)
  await checkManifest(project)
  checkTypes(project)
}

/** What each source becomes, the source itself, for its declaration map to lead to, and the documents. */
function checkFiles({ files }: Project): void {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => path.replaceAll('\\', '/').slice(0, -'.ts'.length))
  const built = sources.flatMap((path) => [
    `dist/${path}.js`,
    `dist/${path}.d.ts`,
    `dist/${path}.d.ts.map`,
    `src/${path}.ts`,
  ])
  const docs = readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)
  const wanted = [...built, ...docs, NOTICES, 'CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
  const stray = files.filter((path) => !wanted.includes(path))
  const missing = wanted.filter((path) => !files.includes(path))
  equal({ stray, missing }, { stray: [], missing: [] })
}

/** That maps lead from built files to sources, all of them in the tarball. */
function checkMaps({ files, installed }: Project): void {
  for (const path of files.filter((file) => file.startsWith('dist/') && !file.endsWith('.map'))) {
    const [, map] = /\/\/# sourceMappingURL=(.+)/.exec(readFileSync(join(installed, path), 'utf8')) ?? []
    equal(map, path.endsWith('.d.ts') ? `${posix.basename(path)}.map` : undefined, path)
  }
  for (const path of files.filter((file) => file.endsWith('.map'))) {
    const { sources, sourceRoot = '' } = JSON.parse(readFileSync(join(installed, path), 'utf8'))
    ok(sources.length > 0, path)
    for (const source of sources) {
      const target = posix.join(posix.dirname(path), sourceRoot, source)
      ok(files.includes(target), `${path} leads to ${target}, which is not in the tarball`)
    }
  }
}

/**
 * Built files and their declarations import Node.js modules, each other and what the manifest asks for. `aws-lambda` stands
 * for `@types/aws-lambda`, which TypeScript needs for Middy's own types too.
 */
function checkImports({ files, installed }: Project): void {
  const allowed = [...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }), 'aws-lambda']
  for (const path of files.filter((file) => /^dist\/.*\.(js|ts)$/.test(file))) {
    const text = readFileSync(join(installed, path), 'utf8')
    const names = [...text.matchAll(/^(?:import|export|\}) ?.*from ["']([^"']+)["']|\bimport\(["']([^"']+)["']\)/gm)]
    for (const name of names.map(([, fixed, dynamic]) => (fixed ?? dynamic) as string)) {
      ok(isBuiltin(name) || name.startsWith('.') || allowed.includes(name), `${path} imports ${name}`)
    }
  }
}

/** The build inlines packages into one file; each one that it names there is among the notices. */
function checkNotices({ installed }: Project): void {
  const [comment = ''] = readFileSync(join(installed, 'dist/signing/signing-key.js'), 'utf8').split('\n')
  const notices = readFileSync(join(installed, NOTICES), 'utf8')
  const packages = [...comment.matchAll(/(@[\w./-]+ [\d.]+) \(Apache-2\.0\)/g)].map(([, name]) => name as string)
  ok(
    packages.some((name) => name.startsWith('@smithy/signature-v4 ')),
    comment,
  )
  for (const name of packages) ok(notices.includes(`- ${name} (Apache-2.0)\n`), name)
  ok(notices.includes('Apache License\n                           Version 2.0'), 'the licence is there in full')
}

async function checkManifest({ tarball }: Project): Promise<void> {
  const { buffer } = new Uint8Array(readFileSync(tarball))
  const { messages } = await publint({ pack: { tarball: buffer }, strict: true })
  equal(messages, [])
}

/** For everybody who can import ES modules; what has no entry point for others has no types for them either. */
function checkTypes({ folder, tarball }: Project): void {
  const command = join(dirname(ATTW), JSON.parse(readFileSync(ATTW, 'utf8')).bin.attw)
  const args = [command, tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-emoji']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  ok(status === 0, `attw finds fault with the types:\n${stdout}${stderr}`)
}

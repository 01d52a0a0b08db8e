/** The package as its users get it: packed, and installed in an empty project beside what it depends on. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export const root = join(import.meta.dirname, '..', '..', '..')

export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Whether `npm run test:nodes` runs this: types, tarball and synthesized stack are the same on each version of Node.js. */
export const isOtherNode = process.env.NODE_WANTED !== undefined

export interface Project {
  readonly folder: string
  /** Path of the tarball. */
  readonly tarball: string
  /** Where it is unpacked. */
  readonly installed: string
  /** Everything in the tarball. */
  readonly files: readonly string[]
  readonly remove: () => void
}

export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): string {
  return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

let packed: Pick<Project, 'tarball' | 'files'> | undefined

/** Builds and packs the package, once for all projects of a process. */
function pack(): Pick<Project, 'tarball' | 'files'> {
  if (packed !== undefined) return packed
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-packed-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const output = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], root))
  const { filename, files } = (Array.isArray(output) ? output : Object.values(output))[0]
  packed = { tarball: join(folder, filename), files: files.map(({ path }: { path: string }) => path) }
  return packed
}

/**
 * Unpacks the package into a project of its own. What it and TypeScript need, and what `more` names, are this checkout's; a
 * name may stand for another folder, below `node_modules` or absolute, as in `{ '@middy/core': 'middy6' }`.
 */
export function createProject(more: Readonly<Record<string, string>> = {}): Project {
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-'))
  const { tarball, files } = pack()
  const modules = join(folder, 'node_modules')
  const installed = join(modules, manifest.name)
  mkdirSync(installed, { recursive: true })
  run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'], folder)
  const needed = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  const common = [...needed, '@types/node', '@types/aws-lambda']
  const sources = { ...Object.fromEntries(common.map((name) => [name, name])), ...more }
  for (const [name, source] of Object.entries(sources)) {
    const link = join(modules, name)
    mkdirSync(join(link, '..'), { recursive: true })
    symlinkSync(resolve(root, 'node_modules', source), link)
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }')
  return { folder, tarball, installed, files, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** Compiles files of a project where they are. */
export function compile({ folder }: Project, options: readonly string[], files: readonly string[]): void {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const common = ['--strict', '--skipLibCheck', '--target', 'es2024', '--types', 'node']
  run(process.execPath, [tsc, ...common, ...options, ...files], folder)
}

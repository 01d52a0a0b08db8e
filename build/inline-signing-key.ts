/**
 * Bundles the part of `@aws-sdk/signature-v4` that derives signing keys into `dist/signing/signing-key.js`, and writes
 * the licences of that code to `dist/THIRD-PARTY-NOTICES.txt`.
 *
 * The published package must not import `@aws-sdk/signature-v4`. CDK's NodejsFunction and other bundlers do not bundle
 * `@aws-sdk/*` and `@smithy/*`, but the Lambda runtime does not have this package, so the function would not load.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Metafile, type Plugin } from 'esbuild'

interface InlinedPackage {
  readonly title: string
  readonly license: string
}

const root = join(import.meta.dirname, '..')
const target = 'dist/signing/signing-key.js'
const notices = 'dist/THIRD-PARTY-NOTICES.txt'

/**
 * Lets esbuild drop modules with unused exports. The signer's package imports an event stream codec and a CRC32, which
 * signing keys do not need. Both are CommonJS, which esbuild keeps by default: 16.4 KB minified instead of 1.7 KB.
 */
const inlineWhatIsUsed: Plugin = {
  name: 'inline-what-is-used',
  setup({ onResolve, resolve }) {
    const resolving = Symbol('resolving')
    onResolve({ filter: /./ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
      if (kind === 'entry-point' || pluginData === resolving) return undefined
      // Other files of `dist` stay imports: bundled, they would exist twice.
      if (path.startsWith('.') && importer === join(root, target)) return { path, external: true }
      const resolved = await resolve(path, { kind, importer, resolveDir, pluginData: resolving })
      return { ...resolved, sideEffects: false }
    })
  },
}

const { metafile, outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: [target],
  outfile: target,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  mainFields: ['module', 'main'],
  legalComments: 'inline',
  metafile: true,
  write: false,
  plugins: [inlineWhatIsUsed],
})
const packages = findInlined(metafile)
const code = outputFiles[0]?.text
if (code === undefined || packages.length === 0) throw new Error(`nothing was inlined in ${target}`)
const list = packages.map(({ title }) => title).join(', ')
// The `!` marks a legal comment, which bundlers keep.
const comment = `/*! Bundled from ${list}. Licences: middy-signed-services/${notices} */`
writeFileSync(join(root, target), `${comment}\n${code}`)
writeFileSync(join(root, notices), describeLicenses(packages))

/** The packages whose code is in the output. */
function findInlined({ outputs }: Metafile): InlinedPackage[] {
  const files = Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs))
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [])
  return [...new Set(folders)].toSorted().map((folder) => {
    const { name, version, license } = JSON.parse(read(folder, 'package.json'))
    return { title: `${name} ${version} (${license})`, license: read(folder, 'LICENSE') }
  })
}

function read(...path: string[]): string {
  return readFileSync(join(root, ...path), 'utf8')
}

/** Writes each licence text once, below its packages. */
function describeLicenses(packages: readonly InlinedPackage[]): string {
  const byText = Object.groupBy(packages, ({ license }) => license)
  const sections = Object.entries(byText).map(([text, group = []]) => {
    const titles = group.map(({ title }) => `- ${title}`).join('\n')
    return `${titles}\n\n${text.trimEnd()}\n`
  })
  return `${target} contains code of other packages, bundled by esbuild. Their licences:\n\n${sections.join('\n---\n\n')}`
}

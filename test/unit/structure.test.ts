import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'

/** Data flows one way: a folder imports only folders that stand below it, and only their `index.ts`. */
const FOLDERS = ['cli', 'testing', 'middleware', 'client', 'config', 'signing', 'transport', 'errors'] as const

const root = join(import.meta.dirname, '..', '..', 'src')
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const imports = (file: string) =>
  [...read(file).matchAll(/(?:from|import\() ?'([^']+)'/g)].map((match) => match[1] as string)
const localImports = (file: string) =>
  imports(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => normalize(join(dirname(file), name)))
const levelOf = (file: string) => FOLDERS.findIndex((folder) => file.startsWith(`${folder}/`))

describe('src', () => {
  it('has at most ten entries, and the folders of the architecture page', () => {
    const entries = readdirSync(root)
    expect(entries.length).toBeLessThanOrEqual(10)
    const folders = readdirSync(root, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? entry.name : [],
    )
    expect(folders.toSorted()).toEqual([...FOLDERS].sort())
    const page = readFileSync(join(root, '..', 'docs', 'architecture.md'), 'utf8')
    for (const folder of FOLDERS) expect(page).toContain(`\`${folder}/\``)
  })

  it.each(files)('%s imports from folders below its own, through their index.ts', (file) => {
    for (const imported of localImports(file)) {
      const isInside = dirname(imported) === dirname(file)
      if (isInside) continue
      expect(levelOf(imported), `${imported} stands below`).toBeGreaterThan(levelOf(file))
      expect(imported).toMatch(/\/index\.ts$/)
    }
  })

  it('has no cycle of imports', () => {
    const done = new Set<string>()
    const visit = (file: string, path: readonly string[]) => {
      expect(path, `${file} imports itself`).not.toContain(file)
      if (done.has(file)) return
      for (const imported of localImports(file)) visit(imported, [...path, file])
      done.add(file)
    }
    for (const file of files) visit(file, [])
  })

  it('has files for all that it imports', () => {
    for (const file of files)
      for (const imported of localImports(file)) expect(existsSync(join(root, imported))).toBe(true)
  })

  it('lets the verifier share nothing with the signer but a type', () => {
    expect(read('testing/verify-signature.ts')).not.toMatch(/import (?!type)[^\n]*'\.\.?\//)
    const others = files.filter((file) => imports(file).includes('@aws-crypto/sha256-js'))
    expect(others).toEqual(['testing/verify-signature.ts'])
  })

  it('imports the key derivation of the AWS SDK in one file, and its provider chain only when it is needed', () => {
    expect(files.filter((file) => imports(file).includes('@aws-sdk/signature-v4'))).toEqual(['signing/signing-key.ts'])
    expect(files.filter((file) => read(file).includes("from '@aws-sdk/credential-provider-node'"))).toEqual([])
  })

  it('uses the documented means of the platform', () => {
    const source = files.map(read).join('\n')
    for (const means of ['setPrototypeOf', 'new Proxy', 'prepareStackTrace', 'diagnostics_channel', "from 'undici'"]) {
      expect(source).not.toContain(means)
    }
    // One file checks whether a dispatcher was set.
    expect(files.filter((file) => read(file).includes("Symbol.for('undici"))).toEqual(['transport/replaced-fetch.ts'])
  })
})

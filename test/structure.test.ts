import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'

/** Data flows one way: a file imports only files of lower levels. */
const LEVELS: readonly (readonly string[])[] = [
  ['node.ts'],
  [
    'abort.ts',
    'call-promise.ts',
    'catch-up.ts',
    'clock.ts',
    'connections.ts',
    'endpoint.ts',
    'errors.ts',
    'invoke-options.ts',
    'lazy-services.ts',
    'received-body.ts',
    'redact.ts',
    'retry-after.ts',
    'retry-quota.ts',
    'service-variable.ts',
    'sha256.ts',
    'signing-channel.ts',
    'trace.ts',
    'wire-url.ts',
  ],
  [
    'base-url.ts',
    'call-report.ts',
    'canonical-request.ts',
    'circuit-breaker.ts',
    'content-coding.ts',
    'credentials.ts',
    'deadline.ts',
    'hint.ts',
    'outgoing.ts',
    'received-response.ts',
    'refusal.ts',
    'trace-header.ts',
    'watched-response.ts',
  ],
  ['exchange.ts', 'pending-calls.ts', 'retry.ts', 'signature.ts'],
  ['signed-fetch.ts', 'undici.ts'],
  ['failure.ts', 'options.ts'],
  ['config.ts'],
  ['call.ts'],
  ['attempt.ts', 'ky-options.ts', 'settle.ts', 'target.ts'],
  ['client.ts'],
  ['services.ts'],
  ['request-signer.ts', 'signed-services.ts'],
  ['index.ts'],
]
const TESTING_MAY_IMPORT = ['errors.ts', 'service-variable.ts', 'credentials.ts']
/** The mocks are real clients; the gateway listens to what they sign. */
const TESTING_MAY_ALSO_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'testing/mock-env.ts': ['options.ts'],
  'testing/mock-services.ts': ['client.ts', 'retry-quota.ts', 'services.ts'],
  'testing/signed-requests.ts': ['signing-channel.ts'],
}

const root = join(import.meta.dirname, '..', 'src')
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const imports = (file: string) =>
  [...read(file).matchAll(/(?:from|import\() ?'([^']+)'/g)].map((match) => match[1] as string)
const localImports = (file: string) =>
  imports(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => normalize(join(dirname(file), name)))
const levelOf = (file: string) => LEVELS.findIndex((level) => level.includes(file))

describe('src', () => {
  it.each(files.filter((file) => !file.startsWith('testing/')))('%s imports lower levels only', (file) => {
    expect(levelOf(file), 'has a level').toBeGreaterThanOrEqual(0)
    for (const imported of localImports(file)) expect(levelOf(imported), imported).toBeLessThan(levelOf(file))
  })

  it.each(files.filter((file) => file.startsWith('testing/')))('%s leaves the signer alone', (file) => {
    const mayImport = [...TESTING_MAY_IMPORT, ...(TESTING_MAY_ALSO_IMPORT[file] ?? [])]
    for (const imported of localImports(file)) {
      if (!imported.startsWith('testing/')) expect(mayImport).toContain(imported)
    }
  })

  it('lets the verifier share nothing with the signer but a type', () => {
    expect(read('testing/verify-signature.ts')).not.toMatch(/import (?!type)[^\n]*'\.\.?\//)
    expect(imports('testing/verify-signature.ts')).toEqual(['@aws-crypto/sha256-js', '../credentials.ts'])
    const others = files.filter((file) => imports(file).includes('@aws-crypto/sha256-js'))
    expect(others).toEqual(['testing/verify-signature.ts'])
  })

  it('has one importer of the signer, and one lazy importer of the provider chain', () => {
    expect(files.filter((file) => imports(file).includes('@aws-sdk/signature-v4'))).toEqual(['signature.ts'])
    expect(files.filter((file) => read(file).includes("from '@aws-sdk/credential-provider-node'"))).toEqual([])
    expect(read('credentials.ts')).toContain("import('@aws-sdk/credential-provider-node')")
  })

  it('loads undici, which nobody has to have, for its own transport alone', () => {
    expect(files.filter((file) => imports(file).includes('undici'))).toEqual(['exchange.ts', 'undici.ts'])
    expect(read('exchange.ts')).toContain("import type { Dispatcher } from 'undici'")
    expect(files.filter((file) => localImports(file).includes('undici.ts'))).toEqual([])
  })

  it.each(files)('%s can be read in one sitting', (file) => {
    expect(read(file).split('\n').length).toBeLessThanOrEqual(260)
  })
})

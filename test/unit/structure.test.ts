import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'

/** Data flows one way: a file imports only files of lower levels. */
const LEVELS: readonly (readonly string[])[] = [
  ['transport/node.ts'],
  [
    'client/abort.ts',
    'client/call-promise.ts',
    'transport/freeze-guard.ts',
    'signing/clock-skew.ts',
    'transport/keep-alive.ts',
    'signing/service-table.ts',
    'errors/service-errors.ts',
    'invoke-options.ts',
    'middleware/lazy-services.ts',
    'transport/received-body.ts',
    'errors/redact.ts',
    'errors/retry-after.ts',
    'client/retry-budget.ts',
    'config/service-variable.ts',
    'signing/sha256.ts',
    'signing/signing-key.ts',
    'signing/signing-channel.ts',
    'client/trace.ts',
    'signing/wire-url.ts',
  ],
  [
    'config/base-url.ts',
    'client/call-log.ts',
    'signing/canonical-request.ts',
    'client/circuit-breaker.ts',
    'transport/content-coding.ts',
    'signing/credentials.ts',
    'middleware/deadline.ts',
    'errors/hint.ts',
    'signing/request-body.ts',
    'transport/received-response.ts',
    'errors/refusal.ts',
    'client/trace-header.ts',
    'client/watched-response.ts',
  ],
  ['transport/exchange.ts', 'middleware/pending-calls.ts', 'client/retry-policy.ts', 'signing/signer.ts'],
  ['signing/signed-fetch.ts', 'undici.ts'],
  ['errors/failure.ts', 'config/options.ts'],
  ['config/resolve-config.ts'],
  ['client/service-call.ts'],
  ['client/attempt.ts', 'client/ky-options.ts', 'client/settle.ts', 'client/request-url.ts'],
  ['client/service-client.ts'],
  ['client/create-services.ts'],
  ['request-signer.ts', 'middleware/signed-services.ts'],
  ['index.ts'],
]
const TESTING_MAY_IMPORT = ['errors/service-errors.ts', 'config/service-variable.ts', 'signing/credentials.ts']
/** The mocks are real clients; the gateway listens to what they sign. */
const TESTING_MAY_ALSO_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'testing/mock-env.ts': ['config/options.ts'],
  'testing/mock-services.ts': ['client/service-client.ts', 'client/retry-budget.ts', 'client/create-services.ts'],
  'testing/signed-requests.ts': ['signing/signing-channel.ts'],
}

const root = join(import.meta.dirname, '..', '..', 'src')
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
    expect(imports('testing/verify-signature.ts')).toEqual(['@aws-crypto/sha256-js', '../signing/credentials.ts'])
    const others = files.filter((file) => imports(file).includes('@aws-crypto/sha256-js'))
    expect(others).toEqual(['testing/verify-signature.ts'])
  })

  it('has one importer of the signer, and one lazy importer of the provider chain', () => {
    expect(files.filter((file) => imports(file).includes('@aws-sdk/signature-v4'))).toEqual(['signing/signing-key.ts'])
    expect(files.filter((file) => read(file).includes("from '@aws-sdk/credential-provider-node'"))).toEqual([])
    expect(read('signing/credentials.ts')).toContain("import('@aws-sdk/credential-provider-node')")
  })

  it('loads undici, which nobody has to have, for its own transport alone', () => {
    expect(files.filter((file) => imports(file).includes('undici'))).toEqual(['undici.ts', 'transport/exchange.ts'])
    expect(read('transport/exchange.ts')).toContain("import type { Dispatcher } from 'undici'")
    expect(files.filter((file) => localImports(file).includes('undici.ts'))).toEqual([])
  })

  it.each(files)('%s can be read in one sitting', (file) => {
    expect(read(file).split('\n').length).toBeLessThanOrEqual(260)
  })
})

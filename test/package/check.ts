/**
 * Packs the package and imports it as its users do: every entry point, from a project of its own, at run time and in
 * TypeScript under both ways of resolving modules. Also that the tarball holds nothing that users have no use for.
 */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ENTRIES: Record<string, readonly string[]> = {
  'middy-signed-services': [
    'CircuitOpenError',
    'ServiceAuthError',
    'ServiceError',
    'ServiceNetworkError',
    'ServiceRequestError',
    'ServiceResponseError',
    'ServiceThrottledError',
    'ServiceTimeoutError',
    'ServicesConfigurationError',
    'createServices',
    'createSignedFetch',
    'default',
    'signedServices',
    'signedServicesValidateOptions',
  ],
  'middy-signed-services/request-signer': [
    'BatchInvokeError',
    'CircuitBreaker',
    'batchInvokeApiGateway',
    'invokeAdminService',
    'invokeAiService',
    'invokeApiGateway',
    'invokeApiGatewayWithRetry',
    'invokeBackgroundService',
    'invokeIntegrationService',
  ],
  'middy-signed-services/testing': ['reply', 'startLocalGateway', 'verifySignature'],
}

const CONSUMER = `
import middy from '@middy/core'
import signedServices, { createServices, type ServicesContext } from 'middy-signed-services'
import { startLocalGateway } from 'middy-signed-services/testing'

const gateway = await startLocalGateway({ services: { ai: { 'GET /jobs/:id': ({ params }) => params } } })
Object.assign(process.env, gateway.env)
export const handler = middy<{ id: string }>()
  .use(signedServices({ services: ['ai'] }))
  .handler(async ({ id }, { services: { ai } }) => ai.get(\`jobs/\${id}\`).json<{ id: string }>())
const inHandler = await handler({ id: '7' }, {} as ServicesContext<'ai'>)
const outside: { id: string } = await createServices({ services: ['ai'] }).ai.get('jobs/8').json()
console.log(JSON.stringify([inHandler, outside]))
await gateway.close()
`

const root = join(import.meta.dirname, '..', '..')
const project = mkdtempSync(join(tmpdir(), 'middy-signed-services-'))
const run = (command: string, args: readonly string[], cwd: string) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

try {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const packed = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', project], root))
  const { filename, files } = (Array.isArray(packed) ? packed : Object.values(packed))[0]

  const stray = files
    .map(({ path }: { path: string }) => path)
    .filter((path: string) => !/^(dist\/.+\.(js|d\.ts|map)|package\.json|README\.md|LICENSE)$/.test(path))
  equal(stray, [])

  // Dependencies are those of this checkout; the package itself is what users get.
  const modules = join(project, 'node_modules')
  const target = join(modules, manifest.name)
  mkdirSync(target, { recursive: true })
  run('tar', ['-xzf', join(project, filename), '-C', target, '--strip-components=1'], project)
  const dependencies = [...Object.keys(manifest.dependencies), '@middy/core', '@types/node', '@types/aws-lambda']
  for (const name of dependencies) {
    const link = join(modules, name)
    mkdirSync(join(link, '..'), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), link)
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }')

  for (const [entry, expected] of Object.entries(ENTRIES)) {
    const script = `console.log(JSON.stringify(Object.keys(await import('${entry}')).sort()))`
    equal(JSON.parse(run(process.execPath, ['--input-type=module', '--eval', script], project)), expected)
  }
  const entryPoints = Object.keys(manifest.exports).filter((entry) => entry !== './package.json')
  equal(entryPoints.map((entry) => join(manifest.name, entry)).sort(), Object.keys(ENTRIES).sort())

  writeFileSync(join(project, 'consumer.mts'), CONSUMER)
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const types = ['--strict', '--skipLibCheck', '--target', 'es2024', '--types', 'node', 'consumer.mts']
  run(process.execPath, [tsc, '--module', 'nodenext', '--noEmit', ...types], project)
  run(process.execPath, [tsc, '--module', 'esnext', '--moduleResolution', 'bundler', ...types], project)
  equal(JSON.parse(run(process.execPath, ['consumer.mjs'], project)), [{ id: '7' }, { id: '8' }])
  console.log(`${filename}: ${files.length} files; ${Object.keys(ENTRIES).join(', ')} import and type-check`)
} finally {
  rmSync(project, { recursive: true, force: true })
}

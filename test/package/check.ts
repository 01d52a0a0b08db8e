/**
 * Packs the package and imports it as its users do: every entry point, from a project of its own, at run time and in
 * TypeScript under both ways of resolving modules. Also that the tarball holds nothing that users have no use for.
 */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compile, createProject, manifest, run } from './project.ts'

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
  'middy-signed-services/testing': ['fail', 'mockEnv', 'mockServices', 'reply', 'startLocalGateway', 'verifySignature'],
  'middy-signed-services/undici': ['fetch'],
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

for (const [major, core] of Object.entries({ 6: 'middy6', 7: '@middy/core' })) {
  const project = createProject({ '@middy/core': core })
  const { folder, tarball, files, remove } = project
  try {
    const stray = files.filter((path) => !/^(dist\/.+\.(js|d\.ts|map)|package\.json|README\.md|LICENSE)$/.test(path))
    equal(stray, [])

    for (const [entry, expected] of Object.entries(ENTRIES)) {
      const script = `console.log(JSON.stringify(Object.keys(await import('${entry}')).sort()))`
      equal(JSON.parse(run(process.execPath, ['--input-type=module', '--eval', script], folder)), expected)
    }
    const entryPoints = Object.keys(manifest.exports).filter((entry) => entry !== './package.json')
    equal(entryPoints.map((entry) => join(manifest.name, entry)).sort(), Object.keys(ENTRIES).sort())

    writeFileSync(join(folder, 'consumer.mts'), CONSUMER)
    compile(project, ['--module', 'nodenext', '--noEmit'], ['consumer.mts'])
    compile(project, ['--module', 'esnext', '--moduleResolution', 'bundler'], ['consumer.mts'])
    equal(JSON.parse(run(process.execPath, ['consumer.mjs'], folder)), [{ id: '7' }, { id: '8' }])
    console.log(
      `${tarball}, Middy ${major}: ${files.length} files; ${Object.keys(ENTRIES).join(', ')} import and type-check`,
    )
  } finally {
    remove()
  }
}

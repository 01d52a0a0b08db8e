/**
 * Packs the package, checks the tarball, and uses it as users do: every entry point, from a project of its own, at run time
 * and in TypeScript under both ways of resolving modules, and every example.
 */
import { deepStrictEqual as equal } from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkCommand } from './command.ts'
import { checkExamples, EXAMPLE_PACKAGES } from './examples.ts'
import { compile, createProject, isOtherNode, manifest, type Project, run } from './project.ts'
import { checkTarball } from './tarball.ts'

const ERRORS = [
  'CircuitOpenError',
  'ServiceAuthError',
  'ServiceError',
  'ServiceNetworkError',
  'ServiceRequestError',
  'ServiceResponseError',
  'ServiceThrottledError',
  'ServiceTimeoutError',
  'ServicesConfigurationError',
]

const ENTRIES: Record<string, readonly string[]> = {
  'middy-signed-services': [
    ...ERRORS,
    'createServices',
    'createSignedFetch',
    'default',
    'signedServices',
    'signedServicesValidateOptions',
  ],
  'middy-signed-services/request-signer': [
    'BatchInvokeError',
    'CircuitBreaker',
    ...ERRORS,
    'batchInvokeApiGateway',
    'invokeAdminService',
    'invokeAiService',
    'invokeApiGateway',
    'invokeApiGatewayWithRetry',
    'invokeBackgroundService',
    'invokeIntegrationService',
  ],
  'middy-signed-services/testing': ['fail', 'mockEnv', 'mockServices', 'reply', 'startLocalGateway', 'verifySignature'],
}

/** A handler as in the README, its test's gateway, and the plain functions. */
const CONSUMER = `
import middy from '@middy/core'
import signedServices, { createServices, type ServicesContext } from 'middy-signed-services'
import { invokeAiService } from 'middy-signed-services/request-signer'
import { startLocalGateway } from 'middy-signed-services/testing'

const gateway = await startLocalGateway({ services: { ai: { 'GET /jobs/:id': ({ params }) => params } } })
Object.assign(process.env, gateway.env)
export const handler = middy<{ id: string }>()
  .use(signedServices({ services: ['ai'] }))
  .handler(async ({ id }, { services: { ai } }) => ai.get(\`jobs/\${id}\`).json<{ id: string }>())
const inHandler = await handler({ id: '7' }, {} as ServicesContext<'ai'>)
const outside: { id: string } = await createServices({ services: ['ai'] }).ai.get('jobs/8').json()
const plain: { id: string } = await invokeAiService('/jobs/9')
console.log(JSON.stringify([inHandler, outside, plain]))
await gateway.close()

// @ts-expect-error Not among the services, which types that nobody found would not know.
export const stranger: keyof ServicesContext<'ai'>['services'] = 'admin'
`

/** Types for every value of every entry. */
const REEXPORTS = Object.entries(ENTRIES)
  .map(([entry, names], index) => `export { ${names.map((name) => `${name} as ${name}${index}`)} } from '${entry}'`)
  .join('\n')

const MIDDY: Record<string, string> = {
  6: dirname(fileURLToPath(import.meta.resolve('middy6'))),
  7: dirname(fileURLToPath(import.meta.resolve('@middy/core'))),
}

const entryPoints = Object.keys(manifest.exports).filter((entry) => entry !== './package.json')
equal(entryPoints.map((entry) => posix.join(manifest.name, entry)).sort(), Object.keys(ENTRIES).sort())
await withProject({}, async (project) => {
  if (!isOtherNode) {
    await checkTarball(project)
    console.log(`${basename(project.tarball)}: ${project.files.length} files, nothing to be said against it`)
  }
  await checkCommand(project)
  console.log(`npx ${manifest.name}: runs in an empty folder`)
})
await withProject(Object.fromEntries(EXAMPLE_PACKAGES.map((name) => [name, name])), checkExamples)
for (const [major, core] of Object.entries(MIDDY)) {
  await withProject({ '@middy/core': core }, (project) => {
    equal(JSON.parse(readFileSync(join(core, 'package.json'), 'utf8')).version.split('.')[0], major)
    checkUse(project)
    console.log(`Middy ${major}: ${Object.keys(ENTRIES).join(', ')} import${isOtherNode ? '' : ' and type-check'}`)
  })
}

async function withProject(
  more: Readonly<Record<string, string>>,
  check: (project: Project) => void | Promise<void>,
): Promise<void> {
  const project = createProject(more)
  try {
    await check(project)
  } finally {
    project.remove()
  }
}

function checkUse(project: Project): void {
  const { folder } = project
  for (const [entry, expected] of Object.entries(ENTRIES)) {
    const script = `console.log(JSON.stringify(Object.keys(await import('${entry}')).sort()))`
    equal(JSON.parse(run(process.execPath, ['--input-type=module', '--eval', script], folder)), expected)
  }
  writeFileSync(join(folder, 'consumer.mts'), CONSUMER)
  equal(JSON.parse(run(process.execPath, ['consumer.mts'], folder)), [{ id: '7' }, { id: '8' }, { id: '9' }])
  if (isOtherNode) return
  writeFileSync(join(folder, 'reexports.mts'), REEXPORTS)
  const consumers = ['consumer.mts', 'reexports.mts']
  compile(project, ['--module', 'nodenext', '--noEmit'], consumers)
  compile(project, ['--module', 'esnext', '--moduleResolution', 'bundler', '--noEmit'], consumers)
}

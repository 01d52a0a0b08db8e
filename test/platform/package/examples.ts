/**
 * Copies `examples/` into a project that has the tarball installed, and runs every example there: the programs, their tests,
 * and the deployments as they are bundled. None of them can lean on this repository.
 */
import { deepStrictEqual as equal, match, ok } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
// From `dist`, as the examples import it: the gateway knows only the replies of its own module.
import { startLocalGateway } from 'middy-signed-services/testing'
import type { Service } from '../../../examples/sam/services.ts'
import { type LambdaFunction, localServices, readTemplate } from '../../../examples/sam/template.ts'
import { isOtherNode, type Project, root, run } from './project.ts'

/** What the examples import beside the package, and the programs that they start. */
export const EXAMPLE_PACKAGES = ['aws-cdk-lib', 'aws-lambda-mock-context', 'constructs', 'esbuild', 'vitest', 'yaml']

/** Lines that each program must print, an identifier as `<id>`. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  'confirm-order.ts': ['Confirmation: ok-1', '  integration: POST /orders/o-1/confirmation: 503, signature verified'],
  'demo.ts': ['   The handler returned {"jobId":"job-1","views":0}', '3. A cold start without AI_SERVICE_API_URL'],
  'health-check.ts': [
    '200 {"ai":"healthy","integration":"healthy","background":"healthy","admin":"healthy"}',
    '503 {"ai":"healthy","integration":"ERR_SERVICE_RESPONSE","background":"ERR_SERVICE_TIMEOUT","admin":"healthy"}',
  ],
  'notify-services.ts': ['Receipts: [{"receipt":"a-1"},null,{"receipt":"b-1"}]', 'Not notified: INTEGRATION'],
  'oauth-callback.ts': [
    'Returned: {"statusCode":303,"headers":{"location":"/settings/connections?added=linkedin"}}',
    '  background: POST /analytics/connections: 500, signature verified',
  ],
  'publish-draft.ts': [
    'Returned: {"published":true,"verdict":"good"}',
    'Returned: {"published":true,"verdict":"not reviewed"}',
  ],
  'relay-events.ts': [
    'data: Signed, of 1 sent',
    'data: stream, of 3 sent',
    'Response: {"statusCode":200,"headers":{"content-type":"text/event-stream"}}',
    '  ai: GET /generate/stream: 200, signature verified',
  ],
  'sam/local.ts': [
    'Returned: {"jobId":"<id>","views":0}',
    '  admin: PUT /audit/<id> by arn:aws:execute-api:us-east-1:123456789012:admin/prod/PUT/audit/*',
    '  admin: PUT /audit/<id>: 200, signature verified',
  ],
  'save-draft.ts': ['Before: Saving the draft failed: 403 {"message":"Missing Authentication Token"}', 'After:  d-1'],
  'scheduled-generation.ts': ['Returned: {"jobId":"job-7","slot":"2025-03-03T07:00:00Z"}'],
  'sqs-publisher.ts': ['Published: c-1, c-3', 'Returned to SQS: {"batchItemFailures":[{"itemIdentifier":"m-2"}]}'],
  'suggest-topics.ts': [
    '3. ai: GET /topics: 503 Service Unavailable',
    '4. topics from the fallback',
    '6. topics from the ai',
  ],
}

/** A handler of the demo and of the deployments, and no program. */
const HANDLER = 'publish-blog-post.ts'
const EVENT = { userId: 'u-1', topic: 'SigV4' }

/** Milliseconds that a program may take, on a busy machine. */
const TIMEOUT = 120_000

/** Stands in for the Lambda runtime. */
const INVOKE = `
const { handler } = await import(process.argv[1])
const result = await handler(${JSON.stringify(EVENT)}, { getRemainingTimeInMillis: () => 10_000 })
console.log(JSON.stringify(result))`

export async function checkExamples(project: Project): Promise<void> {
  const { folder } = project
  const examples = join(folder, 'examples')
  cpSync(join(root, 'examples'), examples, { recursive: true })
  checkCompleteness(examples)
  if (!isOtherNode) checkTypes(folder)
  await runPrograms(examples)
  console.log(`examples: ${Object.keys(LINES).length} programs run`)
  await start([join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--root', join('examples', 'tests')], folder)
  console.log('examples/tests: pass')
  await checkSam(join(examples, 'sam'))
  console.log('examples/sam: the bundles call one another')
  if (isOtherNode) return
  await checkCdk(project, join(examples, 'cdk'))
  console.log('examples/cdk: the bundled asset calls its services')
}

/** No example is left out, and the list of the examples has each of them. */
function checkCompleteness(examples: string): void {
  const programs = readdirSync(examples).filter((file) => file.endsWith('.ts'))
  const tested = Object.keys(LINES).filter((file) => !file.includes('/'))
  equal(programs.sort(), [...tested, HANDLER].sort())
  equal(
    readdirSync(join(examples, 'functions')).sort(),
    tested.filter((file) => file !== 'demo.ts'),
  )
  const page = readFileSync(join(examples, 'README.md'), 'utf8')
  for (const file of [...programs, ...readdirSync(join(examples, 'tests'))])
    ok(page.includes(`${file}\``), `examples/README.md names ${file}`)
}

function checkTypes(folder: string): void {
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'examples'], folder)
}

/** Two at a time. */
async function runPrograms(examples: string): Promise<void> {
  const queue = Object.entries(LINES)
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [file, lines] = next
      const stdout = await start([join(examples, file)], examples)
      const printed = stdout.replace(/[\da-f]{8}-[\da-f-]{27}/g, '<id>').split('\n')
      for (const line of lines) ok(printed.includes(line), `${file} prints ${line}\n${stdout}`)
    }
  }
  await Promise.all([worker(), worker()])
}

/** Bundles the functions as the template says, and has the caller's bundle call the other bundles. */
async function checkSam(sam: string): Promise<void> {
  const template = readTemplate()
  const bundled = ({ Properties: { Handler } }: LambdaFunction, out = 'out') =>
    join(sam, out, Handler, `${Handler.replace(/\.\w+$/, '')}.mjs`)
  await Promise.all([...template.functions.values()].map((each) => bundleAsSam(sam, each, dirname(bundled(each)))))
  const services = await localServices(template, async (server) => {
    const module = await import(bundled(server))
    return module[server.Properties.Handler.split('.')[1] as string] as Service
  })
  const caller = template.functions.get('PublishBlogPost') as LambdaFunction
  await checkCaller(bundled(caller), services)

  const { External, ...rest } = caller.Metadata.BuildProperties
  equal(External, ['@aws-sdk/credential-provider-node'])
  const whole = bundled(caller, 'whole')
  await bundleAsSam(sam, { ...caller, Metadata: { ...caller.Metadata, BuildProperties: rest } }, dirname(whole))
  ok(statSync(bundled(caller)).size < statSync(whole).size / 3, 'External makes the bundle less than a third')
}

/** Runs esbuild as SAM does, which makes `--out-extension:.js=.mjs` of `OutExtension: [.js=.mjs]`. */
async function bundleAsSam(sam: string, { Properties, Metadata }: LambdaFunction, outdir: string): Promise<void> {
  const { EntryPoints, ...properties } = Metadata.BuildProperties
  const options = Object.entries(properties).flatMap(([name, value]) => {
    const option = `--${name.replace(/\B[A-Z]/g, '-$&').toLowerCase()}`
    if (value === true) return option
    return Array.isArray(value) ? value.map((item) => `${option}:${item}`) : `${option}=${value}`
  })
  const common = ['--bundle', '--platform=node', '--log-level=warning', `--outdir=${outdir}`]
  await promisify(execFile)(join(root, 'node_modules', '.bin', 'esbuild'), [...EntryPoints, ...common, ...options], {
    cwd: join(sam, Properties.CodeUri),
    timeout: TIMEOUT,
  })
}

/** Synthesizes the app as the CDK's command does, and has the asset of the caller call the services. */
async function checkCdk({ folder }: Project, cdk: string): Promise<void> {
  // The construct takes the root of the project from it, and starts the esbuild that is installed there.
  writeFileSync(join(folder, 'package-lock.json'), '{}')
  const bin = join(folder, 'node_modules', '.bin')
  mkdirSync(bin, { recursive: true })
  symlinkSync(join(root, 'node_modules', 'esbuild', 'bin', 'esbuild'), join(bin, 'esbuild'))
  const { app } = JSON.parse(readFileSync(join(cdk, 'cdk.json'), 'utf8'))
  equal(app, 'node app.ts')
  const { PATH } = process.env
  await start(['app.ts'], cdk, { PATH: `${dirname(process.execPath)}:${PATH}`, CDK_OUTDIR: join(cdk, 'cdk.out') })
  // What the CDK itself finds in the template.
  const report = JSON.parse(readFileSync(join(cdk, 'cdk.out', 'validation-report.json'), 'utf8'))
  equal(report.pluginReports, [])
  const assets = readdirSync(join(cdk, 'cdk.out')).filter((name) => name.startsWith('asset.'))
  const files = assets.map((name) => join(cdk, 'cdk.out', name, 'index.mjs'))
  // The four services are one asset.
  equal(files.length, 2)
  const caller = files.find((file) => readFileSync(file, 'utf8').includes('THIRD-PARTY-NOTICES.txt'))
  ok(caller, 'one of the assets has the package in it')
  match(readFileSync(caller, 'utf8'), /import\("@aws-sdk\/credential-provider-node"\)/)
  await checkCaller(caller, await localServices(readTemplate()))
}

/** Moves the caller's bundle to where no package resolves, and invokes it against its services. */
async function checkCaller(bundle: string, services: Awaited<ReturnType<typeof localServices>>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-bundle-'))
  const gateway = await startLocalGateway({ services })
  try {
    cpSync(dirname(bundle), folder, { recursive: true })
    const args = ['--enable-source-maps', '--input-type=module', '--eval', INVOKE, join(folder, basename(bundle))]
    const { jobId, views } = JSON.parse(await start(args, folder, gateway.env))
    match(jobId, /^[\da-f-]{36}$/)
    equal(views, 0)
    equal(
      gateway.requests.map(({ service, status, signature }) => [service, status, signature.verified]),
      ['ai', 'integration', 'background', 'admin'].map((name) => [name, 200, true]),
    )
    const failure = await start(args, folder).then(String, ({ stderr }) => stderr)
    match(failure, /AI_SERVICE_API_URL: API Gateway URL not set/)
    // The source map leads to the line of the handler.
    match(failure, /at .*publish-blog-post\.ts:\d+/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await gateway.close()
  }
}

/** Runs Node.js with nothing of this process's environment. */
async function start(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env, timeout: TIMEOUT })
  return stdout
}

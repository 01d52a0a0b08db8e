/**
 * Bundles a handler together with the packed package, as deployment tools do, and invokes each bundle against the local
 * gateway. Each bundle runs in a folder where no package resolves. An import that a developer's machine satisfies and the
 * Lambda runtime does not would otherwise go unnoticed.
 */
import { deepStrictEqual as equal, ok, rejects } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { type BuildOptions, build } from 'esbuild'
import { startLocalGateway } from '../../../src/testing/index.ts'
import { createProject, manifest } from '../package/project.ts'
import { loadedAtStart, sizeByPackage } from './size.ts'

interface Kind {
  readonly options: BuildOptions
  /** Kilobytes that the function loads at start, at most. */
  readonly maxSize: number
  /**
   * Where the credentials come from. With `file` and `container`, the environment holds no keys, and the function loads the
   * provider chain, which reads a file, or sends a request as in a container.
   * @default 'environment'
   */
  readonly credentials?: 'environment' | 'file' | 'container'
  /** The message that the call fails with. */
  readonly fails?: RegExp
}

const HANDLER = `
import middy from '@middy/core'
import signedServices from 'middy-signed-services'

export const handler = middy()
  .use(signedServices())
  .handler(async (_event, { services: { ai } }) => ai.get('jobs/7').json())
`

/** Stands in for the Lambda runtime. Also reports each of the given packages that resolves from the bundle. */
const INVOKE = `
import { createRequire } from 'node:module'

const [, bundle, ...packages] = process.argv
const { resolve } = createRequire(bundle)
const resolved = packages.filter((name) => {
  try {
    return resolve(name)
  } catch ({ code }) {
    return code !== 'MODULE_NOT_FOUND'
  }
})
const { handler } = await import(bundle)
const result = await handler({}, { getRemainingTimeInMillis: () => 10_000 })
console.log(JSON.stringify({ result, resolved }))
`

/** What an incomplete bundle could import. */
const PACKAGES = [
  manifest.name,
  ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }),
  '@aws-sdk/signature-v4',
  '@smithy/signature-v4',
]

const CREDENTIALS = { accessKeyId: 'ASIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret', sessionToken: 'token' }
const PROFILE = `[bundled]
aws_access_key_id = ${CREDENTIALS.accessKeyId}
aws_secret_access_key = ${CREDENTIALS.secretAccessKey}
aws_session_token = ${CREDENTIALS.sessionToken}
`

const cdk: BuildOptions = { format: 'cjs', target: 'node22', external: ['@aws-sdk/*', '@smithy/*'] }
const sam: BuildOptions = { format: 'cjs', target: 'es2020', minify: true, sourcemap: true }
const esm: BuildOptions = { format: 'esm', target: 'node22' }
/** For ES modules that contain CommonJS code. */
const withRequire: BuildOptions = {
  ...esm,
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
}
const moduleFirst: BuildOptions = { ...withRequire, mainFields: ['module', 'main'] }
const split: BuildOptions = { ...withRequire, splitting: true }

const kinds: Readonly<Record<string, Kind>> = {
  "CDK's NodejsFunction": { options: cdk, maxSize: 230 },
  "CDK's NodejsFunction, ES module": { options: { ...cdk, ...moduleFirst }, maxSize: 230 },
  SAM: { options: sam, maxSize: 520 },
  'SAM, node22, without @aws-sdk/*': { options: { ...sam, target: 'node22', external: ['@aws-sdk/*'] }, maxSize: 112 },
  'ES module, split': { options: split, maxSize: 230 },
  'ES module, split, keys in a file': { options: split, maxSize: 230, credentials: 'file' },
  'ES module, split, module first, keys in a file': {
    options: { ...split, ...moduleFirst },
    maxSize: 230,
    credentials: 'file',
  },
  whole: { options: {}, maxSize: 1240 },
  'whole, keys in a file': { options: {}, maxSize: 1240, credentials: 'file' },
  'whole, minified': { options: { minify: true }, maxSize: 510 },
  'whole, minified, keys in a file': { options: { minify: true }, maxSize: 510, credentials: 'file' },
  'whole, minified, ES module': { options: { ...esm, minify: true }, maxSize: 510 },
  // The provider chain is CommonJS, which requires Node.js's modules, unless `module` comes first in `mainFields`.
  'whole, minified, ES module, keys of a container': {
    options: { ...esm, minify: true },
    maxSize: 510,
    credentials: 'container',
    fails: /Dynamic require of "node:\w+" is not supported/,
  },
  'whole, minified, ES module with require, keys of a container': {
    options: { ...withRequire, minify: true },
    maxSize: 510,
    credentials: 'container',
  },
  'whole, minified, ES module, module first, keys of a container': {
    options: { ...esm, minify: true, mainFields: ['module', 'main'] },
    maxSize: 420,
    credentials: 'container',
  },
  'minified, ES module, without the provider chain': {
    options: { ...esm, minify: true, external: ['@aws-sdk/credential-provider-node'] },
    maxSize: 112,
  },
}

/**
 * Kilobytes of `signedServices` alone, minified, without the provider chain: what it has now, and some more. `bench:check`
 * compares it with the bound that it should have.
 */
const MAX_SIZE_ALONE = 100

/** Gives the credentials as a container's agent does. */
const container = createServer((_request, response) => {
  const { accessKeyId, secretAccessKey, sessionToken } = CREDENTIALS
  const Expiration = new Date(Date.now() + 3_600_000).toISOString()
  const keys = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken, Expiration }
  response.setHeader('content-type', 'application/json').end(JSON.stringify(keys))
})
await once(container.listen(0, '127.0.0.1'), 'listening')

const project = createProject()
const gateway = await startLocalGateway({
  services: { ai: { 'GET /jobs/:id': ({ params }) => params }, integration: {}, background: {}, admin: {} },
  credentials: CREDENTIALS,
})
try {
  writeFileSync(join(project.folder, 'handler.mjs'), HANDLER)
  for (const [name, kind] of Object.entries(kinds)) await inEmptyFolder((folder) => check(name, kind, folder))
  await checkSizeAlone()
} finally {
  project.remove()
  container.close()
  await gateway.close()
}

async function inEmptyFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'middy-signed-services-bundle-'))
  try {
    await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function check(name: string, { options, maxSize, credentials, fails }: Kind, folder: string): Promise<void> {
  const extension = options.format === 'esm' ? '.mjs' : '.js'
  const { metafile } = await build({
    ...options,
    entryPoints: { index: join(project.folder, 'handler.mjs') },
    outdir: folder,
    outExtension: { '.js': extension },
    bundle: true,
    platform: 'node',
    metafile: true,
    logLevel: 'warning',
  })
  const bundle = join(folder, `index${extension}`)
  const env = { environment: () => gateway.env, file: keysInFile, container: keysOfContainer }[
    credentials ?? 'environment'
  ]
  if (fails === undefined) {
    equal(await invoke(bundle, env(folder)), { id: '7' }, name)
    const { status, signature } = gateway.requests.at(-1) ?? {}
    equal([status, signature?.verified], [200, true], name)
  } else await rejects(invoke(bundle, env(folder)), fails, name)
  ok(readFileSync(bundle, 'utf8').includes('THIRD-PARTY-NOTICES.txt'), `${name} names the licences of inlined code`)
  checkSize(name, loadedAtStart(metafile, basename(bundle)), maxSize)
}

/** Invokes the bundle in its own process, with nothing of this process's environment. */
async function invoke(bundle: string, env: Readonly<Record<string, string>>): Promise<unknown> {
  const args = ['--input-type=module', '--eval', INVOKE, bundle, ...PACKAGES]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: join(bundle, '..'),
    // Node.js also looks for packages below the home folder.
    env: { ...env, HOME: join(bundle, '..') },
  })
  const { result, resolved } = JSON.parse(stdout)
  equal(resolved, [], 'packages resolve from the bundle')
  return result
}

function keysInFile(folder: string): Record<string, string> {
  const file = join(folder, 'credentials')
  writeFileSync(file, PROFILE)
  return { ...envWithoutKeys(), AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'bundled' }
}

function keysOfContainer(): Record<string, string> {
  const { port } = container.address() as AddressInfo
  return { ...envWithoutKeys(), AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/credentials` }
}

function envWithoutKeys(): Record<string, string> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, ...env } = gateway.env
  equal([AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN], Object.values(CREDENTIALS))
  return { ...env, AWS_EC2_METADATA_DISABLED: 'true' }
}

/** By esbuild's defaults, as most projects bundle. */
async function checkSizeAlone(): Promise<void> {
  const { metafile } = await build({
    stdin: { contents: `export { default } from '${manifest.name}'`, resolveDir: project.folder },
    outdir: project.folder,
    write: false,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    external: ['@aws-sdk/credential-provider-node'],
    metafile: true,
    logLevel: 'warning',
  })
  const parts = Object.entries(sizeByPackage(metafile)).map(([name, bytes]) => `${name} ${inKilobytes(bytes)}`)
  checkSize(`signedServices alone, minified (${parts.join(', ')})`, loadedAtStart(metafile, 'stdin.js'), MAX_SIZE_ALONE)
}

function checkSize(name: string, bytes: number, maxKilobytes: number): void {
  console.log(`${name}: ${inKilobytes(bytes)} of at most ${maxKilobytes} KB`)
  ok(bytes > 0 && bytes <= maxKilobytes * 1000, `${name}: ${inKilobytes(bytes)} KB`)
}

function inKilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(1)
}

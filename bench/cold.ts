/** Measures cold starts of bundled programs: time from the process's start to its first response, and bytes loaded. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, type Metafile } from 'esbuild'
import { environment } from './fixture.ts'
import { progress, withServer } from './rounds.ts'
import { byName, type Rounds, type Summary, summarize } from './stats.ts'

const POST = `{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"userId":"u-1"}' }`
const CREDENTIALS = `const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken, AWS_REGION: region } = process.env
const service = 'execute-api', credentials = { accessKeyId, secretAccessKey, sessionToken }`
const CONTEXT = '{ getRemainingTimeInMillis: () => 30000 }'

/** Each program stores the body of its response in `answer`, which `bundle` checks. */
const programs = {
  'fetch, unsigned': `const answer = await (await fetch(url, ${POST})).json()`,
  'ky, unsigned': `import ky from 'ky'
    const answer = await ky.post(url, { json: { userId: 'u-1' } }).json()`,
  client: `import { createServices } from 'middy-signed-services'
    const answer = await createServices({ services: ['ai'] }).ai.post('jobs', { json: { userId: 'u-1' } }).json()`,
  'Middy handler, fetch': `import middy from '@middy/core'
    const handler = middy().handler(async () => (await fetch(url, ${POST})).json())
    const answer = await handler({}, ${CONTEXT})`,
  'Middy handler, client': `import middy from '@middy/core'
    import signedServices from 'middy-signed-services'
    const handler = middy().use(signedServices({ services: ['ai'] }))
      .handler(async (_, { services: { ai } }) => ai.post('jobs', { json: { userId: 'u-1' } }).json())
    const answer = await handler({}, ${CONTEXT})`,
  aws4fetch: `import { AwsClient } from 'aws4fetch'
    ${CREDENTIALS}
    const answer = await (await new AwsClient({ ...credentials, region, service }).fetch(url, ${POST})).json()`,
  'aws-sigv4-fetch': `import { createSignedFetcher } from 'aws-sigv4-fetch'
    ${CREDENTIALS}
    const answer = await (await createSignedFetcher({ credentials, region, service })(url, ${POST})).json()`,
  'aws4-axios': `import axios from 'axios'
    import { aws4Interceptor } from 'aws4-axios'
    ${CREDENTIALS}
    const client = axios.create()
    client.interceptors.request.use(aws4Interceptor({ options: { region, service }, credentials }))
    const answer = (await client.post(url, { userId: 'u-1' })).data`,
  'aws4 + undici.request': `import aws4 from 'aws4'
    import { request } from 'undici'
    ${CREDENTIALS}
    const { host, pathname: path } = new URL(url)
    const { method, headers, body } = aws4.sign({ host, path, region, service, ...${POST} }, credentials)
    const answer = await (await request(url, { method, headers, body })).body.json()`,
} as const

export type ColdName = keyof typeof programs

export const coldNames = Object.keys(programs) as ColdName[]

export interface Cold {
  /** Minified bytes of the entry and its static imports, without modules that `import()` loads later. */
  readonly bytes: Readonly<Record<ColdName, number>>
  /** Milliseconds to the first response. */
  readonly times: Summary<ColdName, 'ms'>
}

export async function measureCold(names: readonly ColdName[], starts: number): Promise<Cold> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-cold-'))
  try {
    const bytes = {} as Record<ColdName, number>
    for (const name of names) bytes[name] = loadedAtStart(await bundle(programs[name], outdirOf(name)))
    const times: Rounds<ColdName, 'ms'> = byName(coldNames, () => [])
    await withServer(false, async (url) => {
      // The first round fills the file system's caches.
      for (let round = 0; round <= starts; round += 1) {
        progress(`cold starts: ${round} of ${starts}`)
        for (const name of round % 2 === 0 ? names : names.toReversed()) {
          const ms = await startProgram(join(outdirOf(name), 'stdin.mjs'), url)
          if (round > 0) times[name].push({ ms })
        }
      }
    })
    progress()
    return { bytes, times: summarize(times) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }

  function outdirOf(name: ColdName): string {
    return join(folder, String(coldNames.indexOf(name)))
  }
}

/** Bundles ES modules with esbuild's defaults, minified. Split, so that the provider chain is a separate file. */
async function bundle(program: string, outdir: string): Promise<Metafile> {
  const contents = `const url = process.env.AI_SERVICE_API_URL + '/jobs'
    ${program}
    if (answer.jobId !== 'job-1') throw new Error('not the answer')
    process.stdout.write('answered')`
  const { metafile } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    outdir,
    // The built package: the repository's tsconfig.json would resolve it to the sources.
    tsconfigRaw: '{}',
    bundle: true,
    minify: true,
    splitting: true,
    metafile: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    // CommonJS dependencies call `require`.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  })
  return metafile
}

/** Bytes of the entry and of its static imports. */
function loadedAtStart({ outputs }: Metafile): number {
  const loaded = new Set<string>()
  const load = (file: string) => {
    if (loaded.has(file)) return
    loaded.add(file)
    for (const { path, kind, external } of outputs[file]?.imports ?? []) {
      if (kind === 'import-statement' && !external) load(path)
    }
  }
  load(Object.keys(outputs).find((file) => file.endsWith('/stdin.mjs')) as string)
  return [...loaded].reduce((sum, file) => sum + (outputs[file]?.bytes ?? 0), 0)
}

async function startProgram(entry: string, url: string): Promise<number> {
  const start = performance.now()
  const child = spawn(process.execPath, [entry], { env: environment(url), stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const answered = await Promise.race([once(child.stdout, 'data'), ended])
  const time = performance.now() - start
  if (String(answered[0]) !== 'answered') throw new Error(`${entry} ended without a response`)
  await ended
  return time
}

/** What each client makes a function load at start. */
import { build } from 'esbuild'
import { root } from '../../docs/pages.ts'

const entries: Readonly<Record<string, string>> = {
  'this package': "export { default } from 'middy-signed-services'",
  aws4fetch: "export { AwsClient } from 'aws4fetch'",
  'aws-sigv4-fetch': "export { createSignedFetcher } from 'aws-sigv4-fetch'",
  'aws4-axios': "export { default } from 'axios'; export { aws4Interceptor } from 'aws4-axios'",
  'by hand': "export { SignatureV4 } from '@aws-sdk/signature-v4'",
}

/** Bytes, minified, without what `import()` brings later. */
export async function measureSize(client: string): Promise<number> {
  const { metafile } = await build({
    stdin: { contents: entries[client] ?? '', resolveDir: root },
    tsconfigRaw: {},
    alias: { 'middy-signed-services': `${root}/src/index.ts` },
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    outdir: root,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    logLevel: 'error',
  })
  const { outputs } = metafile
  const loaded = new Set(Object.keys(outputs).filter((path) => outputs[path]?.entryPoint === '<stdin>'))
  for (const path of loaded) {
    for (const { kind, path: imported } of outputs[path]?.imports ?? []) {
      if (kind === 'import-statement' && outputs[imported] !== undefined) loaded.add(imported)
    }
  }
  return [...loaded].reduce((sum, path) => sum + (outputs[path]?.bytes ?? 0), 0)
}

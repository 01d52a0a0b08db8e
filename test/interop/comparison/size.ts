/** Size of the code that a function loads at start for each client. */
import { build } from 'esbuild'
import { loadedAtStart } from '../../platform/bundles/size.ts'

const entries: Readonly<Record<string, string>> = {
  'this package': "export { default } from 'middy-signed-services'",
  aws4fetch: "export { AwsClient } from 'aws4fetch'",
  'aws-sigv4-fetch': "export { createSignedFetcher } from 'aws-sigv4-fetch'",
  'aws4-axios': "export { default } from 'axios'; export { aws4Interceptor } from 'aws4-axios'",
  'hand-written': "export { SignatureV4 } from '@aws-sdk/signature-v4'",
}

/** Minified bytes, without what `import()` loads later. */
export async function measureSize(client: string): Promise<number> {
  const { metafile } = await build({
    stdin: { contents: entries[client] ?? '', resolveDir: import.meta.dirname },
    // The repository's own tsconfig maps the package's name to its sources. Measured is `dist`, because the build makes it
    // smaller: it inlines the derivation of signing keys.
    tsconfigRaw: {},
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    outdir: import.meta.dirname,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    logLevel: 'error',
  })
  return loadedAtStart(metafile, 'stdin.js')
}

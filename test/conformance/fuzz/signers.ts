import { SignatureV4 } from '@aws-sdk/signature-v4'
import { createSignedFetcher } from 'aws-sigv4-fetch'
import { AwsClient } from 'aws4fetch'
import { createSignedFetch } from '../../../src/index.ts'
import type { AwsCredentialIdentity } from '../../../src/signing/credentials.ts'
import { Sha256 } from '../../../src/signing/signing-key.ts'

type Send = (url: string) => Promise<unknown>

/** Ours and its peers on fetch, each as its documentation shows it. */
export function createSigners(credentials: AwsCredentialIdentity, region: string): ReadonlyMap<string, Send> {
  const { accessKeyId, secretAccessKey, sessionToken = '' } = credentials
  const service = 'execute-api'
  const ours = createSignedFetch({ credentials, region, service })
  const aws4fetch = new AwsClient({ accessKeyId, secretAccessKey, sessionToken, region, service, retries: 0 })
  const awsSigv4Fetch = createSignedFetcher({
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    region,
    service,
  })
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256 })
  return new Map<string, Send>([
    ['middy-signed-services', (url) => ours(url)],
    ['aws4fetch', (url) => aws4fetch.fetch(url)],
    ['aws-sigv4-fetch', (url) => awsSigv4Fetch(url)],
    [
      '@aws-sdk/signature-v4',
      async (text) => {
        const url = new URL(text)
        const query: Record<string, string[]> = {}
        for (const [name, value] of url.searchParams) query[name] = [...(query[name] ?? []), value]
        const { headers } = await signer.sign({
          method: 'GET',
          protocol: url.protocol,
          hostname: url.hostname,
          path: url.pathname,
          query,
          headers: { host: url.host },
        })
        return fetch(url, { headers })
      },
    ],
  ])
}

/** Paths and queries that users do send, and that signers trip over. */
export const oddUrls: readonly string[] = [
  '/jobs',
  '/jobs/',
  '/a b',
  '/a%20b',
  '/a+b',
  '/a%2Fb',
  '/a%2fb',
  '/100%25',
  '/100%',
  '/%zz',
  '/%41',
  '/ü',
  '/%C3%BC',
  '/%c3%bc',
  '/日本',
  "/it's",
  '/a!b',
  '/a(b)',
  '/a*b',
  '/jobs:cancel',
  '/a@b',
  '/a,b;c=d',
  '/a$b&c',
  '/a//b',
  '/~user',
  '/x?a=1&b=2',
  '/x?b=2&a=1',
  '/x?a=2&a=1',
  '/x?a=2&a=10',
  '/x?a',
  '/x?a=',
  '/x?=v',
  '/x?a=b=c',
  '/x?a=1&&b=2',
  '/x?q=a b',
  '/x?q=a+b',
  '/x?q=a%2Bb',
  "/x?q=it's",
  '/x?q=a!b(c)*d',
  '/x?q=100%',
  '/x?q=%7E~',
  '/x?q=%c3%bc',
  '/x?ü=1&z=2&a=3',
  '/x?|=1&A=2',
  '/x?a-b=1&a=2',
  '/x?A=1&a=2&B=3',
  '/x?__proto__=1&a=2',
  '/x?filter[name]=a&filter[id]=1',
  '/x?url=https://h.example/p?q=1',
]

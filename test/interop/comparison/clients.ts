/** This package and its peers, each as its documentation shows it. */
import { SignatureV4 } from '@aws-sdk/signature-v4'
import middy from '@middy/core'
import { createSignedFetcher } from 'aws-sigv4-fetch'
import { aws4Interceptor } from 'aws4-axios'
import { AwsClient } from 'aws4fetch'
import axios from 'axios'
import { type ServicesContext, signedServices } from '../../../src/index.ts'
import type { AwsCredentialIdentity } from '../../../src/signing/credentials.ts'
import { Sha256 } from '../../../src/signing/signing-key.ts'

interface CallRequest {
  readonly method?: string
  readonly body?: string
  readonly signal?: AbortSignal
}

export interface Setup {
  /** Base URL; each call adds a path. */
  readonly url: string
  readonly region?: string
  readonly credentials: AwsCredentialIdentity
  /** Credentials that a provider gives after the first ones were rejected. */
  readonly renewed?: AwsCredentialIdentity
  /** Milliseconds that the invocation has left. */
  readonly remaining?: number
}

/** Makes one call. Resolves or rejects as it does for a user of the client. */
export type Call = (path: string, request?: CallRequest) => Promise<unknown>

export type CreateCall = (setup: Setup) => Call

const SERVICE = 'execute-api'

export const clients: Readonly<Record<string, CreateCall>> = {
  'this package': ({ url, region, credentials, renewed = credentials, remaining = 30_000 }) => {
    const handler = middy<{ path: string; request: CallRequest }>()
      .use(
        signedServices({
          services: { ai: { url, region } },
          credentials: ({ forceRefresh = false } = {}) => (forceRefresh ? renewed : credentials),
          retry: { delay: () => 0 },
        }),
      )
      .handler(({ path, request }, { services: { ai } }) => ai(path, toInit(request)))
    const context = { getRemainingTimeInMillis: () => remaining } as ServicesContext<'ai'>
    return (path, request = {}) => handler({ path, request }, context)
  },

  aws4fetch: ({ url, region, credentials }) => {
    const aws = new AwsClient({
      ...withToken(credentials),
      ...(region && { region }),
      service: SERVICE,
      // The client takes 0 for its default.
      initRetryMs: Number.MIN_VALUE,
    })
    return (path, request = {}) => aws.fetch(url + path, toInit(request))
  },

  'aws-sigv4-fetch': ({ url, region, credentials }) => {
    const signedFetch = createSignedFetcher({ credentials, ...(region && { region }), service: SERVICE })
    return (path, request = {}) => signedFetch(url + path, toInit(request))
  },

  'aws4-axios': ({ url, region, credentials }) => {
    const client = axios.create()
    const options = { ...(region && { region }), service: SERVICE }
    client.interceptors.request.use(aws4Interceptor({ options, credentials: withToken(credentials) }))
    return (path, { method = 'GET', body, signal } = {}) =>
      client.request({
        url: url + path,
        method,
        ...(body !== undefined && { data: body, headers: { 'content-type': 'application/json' } }),
        ...(signal && { signal }),
      })
  },

  'hand-written': ({ url: base, region = '', credentials }) => {
    const signer = new SignatureV4({ credentials, region, service: SERVICE, sha256: Sha256 })
    return async (path, { method = 'GET', body } = {}) => {
      const url = new URL(base + path)
      const query: Record<string, string[]> = {}
      for (const [name, value] of url.searchParams) query[name] = [...(query[name] ?? []), value]
      const { headers } = await signer.sign({
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        query,
        headers: { host: url.host, 'content-type': 'application/json' },
        body,
      })
      const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) })
      if (!response.ok) throw new Error(`Request failed: ${response.status} ${await response.text()}`)
      return response.json()
    }
  },
}

function toInit({ method = 'GET', body, signal }: CallRequest) {
  return {
    method,
    ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
    ...(signal && { signal }),
  }
}

/** For types in which the token is not optional. */
function withToken({ accessKeyId, secretAccessKey, sessionToken = '' }: AwsCredentialIdentity) {
  return { accessKeyId, secretAccessKey, sessionToken }
}

/**
 * Signing without sending. 'Signing alone' starts from method, URL, headers and body, with a cached signing key. It
 * computes the body's hash, date and scope, canonical request, string to sign, signature, and the headers.
 */
import { createHash, createHmac } from 'node:crypto'
import { credentials, loadBuilt, region, service } from './fixture.ts'

const { accessKeyId, secretAccessKey, sessionToken } = credentials
const host = 'abc123.execute-api.us-east-1.amazonaws.com'
const path = '/prod/jobs'
const url = `https://${host}${path}`
const contentType = 'application/json'

/** Texts as long as the canonical request and the string to sign of these requests. */
const CANONICAL_REQUEST = 'x'.repeat(767)
const STRING_TO_SIGN = 'x'.repeat(142)
const KEY = Buffer.alloc(32, 1)

export const signers = {
  'signing alone': async (body: Uint8Array) => {
    const { createSign } = (await loadBuilt('signing/signer')) as typeof import('../src/signing/signer.ts')
    const { sha256Hex } = (await loadBuilt('signing/sha256')) as typeof import('../src/signing/sha256.ts')
    const { toWireUrl } = (await loadBuilt('signing/wire-url')) as typeof import('../src/signing/wire-url.ts')
    const sign = createSign({ region, service })
    const wire = toWireUrl(new URL(url), 'twice')
    const headers = { 'content-type': contentType }
    return () => sign({ method: 'POST', wire, headers, payloadHash: sha256Hex(body) }, credentials, new Date())
  },

  /** Only the three hashes that every signature needs. */
  'bare hashes': async (body: Uint8Array) => () => [
    createHash('sha256').update(body).digest('hex'),
    createHash('sha256').update(CANONICAL_REQUEST).digest('hex'),
    createHmac('sha256', KEY).update(STRING_TO_SIGN).digest('hex'),
  ],

  aws4: async (body: Uint8Array) => {
    const { default: aws4 } = await import('aws4')
    const bytes = Buffer.from(body)
    const headers = { 'content-type': contentType }
    return () =>
      aws4.sign(
        { host, path, method: 'POST', service, region, headers: { ...headers }, body: bytes as never },
        credentials,
      )
  },

  aws4fetch: async (body: Uint8Array<ArrayBuffer>) => {
    const { AwsV4Signer } = await import('aws4fetch')
    const cache = new Map<string, ArrayBuffer>()
    const headers = { 'content-type': contentType }
    return () => new AwsV4Signer({ method: 'POST', url, headers, body, ...credentials, service, region, cache }).sign()
  },

  /** The signer that aws-sigv4-fetch uses, with the same hash function. */
  '@smithy/signature-v4': async (body: Uint8Array) => {
    const { SignatureV4 } = await import('@smithy/signature-v4')
    const { Sha256 } = await import('@aws-crypto/sha256-js')
    const signer = new SignatureV4({
      credentials: { accessKeyId, secretAccessKey, sessionToken },
      region,
      service,
      sha256: Sha256,
    })
    const headers = { host, 'content-type': contentType }
    return () => signer.sign({ method: 'POST', protocol: 'https:', hostname: host, path, headers, body })
  },
} satisfies Record<string, (body: Uint8Array<ArrayBuffer>) => Promise<() => unknown>>

export type SignerName = keyof typeof signers

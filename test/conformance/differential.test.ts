import { SignatureV4 as SmithySigner } from '@smithy/signature-v4'
import aws4 from 'aws4'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createCanonicalRequest, createStringToSign } from '../../src/signing/canonical-request.ts'
import { findKind } from '../../src/signing/service-table.ts'
import { sha256Hex } from '../../src/signing/sha256.ts'
import { createSignedFetch } from '../../src/signing/signed-fetch.ts'
import { Sha256 } from '../../src/signing/signing-key.ts'
import { toWireUrl } from '../../src/signing/wire-url.ts'
import { answer, IDENTITY } from '../support/helpers.ts'

const HOST = 'id.execute-api.eu-central-1.amazonaws.com'
const NOW = new Date('2026-11-22T01:02:03Z')
const REGION = 'eu-central-1'
const SERVICE = 'execute-api'

interface Signed {
  readonly canonicalRequest: string
  readonly stringToSign: string
  readonly signature: string
}

/** A request as our signed fetch puts it on the wire. */
interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: string
  /** What it is signed for. */
  readonly service: string
}

beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW })
})
afterAll(() => {
  vi.useRealTimers()
})

async function send(method: string, url: string, init: RequestInit = {}, service = SERVICE): Promise<Sent> {
  let sent: Sent | undefined
  const fetch = async (input: unknown, { headers, body }: RequestInit = {}) => {
    sent = {
      method,
      url: String(input),
      headers: headers as Headers,
      body: Buffer.from((body ?? '') as Uint8Array).toString(),
      service,
    }
    return answer()
  }
  await createSignedFetch({ credentials: IDENTITY, region: REGION, service, fetch })(url, { method, ...init })
  return sent as Sent
}

/** What was signed, without the signature itself. */
function signedHeaders({ headers }: Sent): Record<string, string> {
  const entries = [...headers].filter(([name]) => /^(content-type$|x-amz-)/.test(name))
  return { host: HOST, ...Object.fromEntries(entries) }
}

function ours(sent: Sent): Signed {
  const { pathEncoding } = findKind(sent.service)
  const { path, query } = toWireUrl(new URL(sent.url), pathEncoding)
  const headers = Object.entries(signedHeaders(sent))
  const canonicalRequest = createCanonicalRequest(
    sent.method,
    path,
    pathEncoding,
    query,
    headers,
    sha256Hex(sent.body),
  ).text
  const scope = `20261122/${REGION}/${sent.service}/aws4_request`
  const authorization = sent.headers.get('authorization') ?? ''
  return {
    canonicalRequest,
    stringToSign: createStringToSign('20261122T010203Z', scope, canonicalRequest),
    signature: /Signature=([\da-f]{64})$/.exec(authorization)?.[1] ?? '',
  }
}

/** Opens what smithy keeps for its subclasses. */
class OpenSmithySigner extends SmithySigner {
  last: Partial<Signed> = {}
  protected override async createStringToSign(
    longDate: string,
    scope: string,
    canonicalRequest: string,
    algorithm: string,
  ) {
    const stringToSign = await super.createStringToSign(longDate, scope, canonicalRequest, algorithm)
    this.last = { canonicalRequest, stringToSign }
    return stringToSign
  }
}

async function smithys(sent: Sent): Promise<Signed> {
  const url = new URL(sent.url)
  const query: Record<string, string[]> = {}
  for (const [name, value] of url.searchParams) query[name] = [...(query[name] ?? []), value]
  const signer = new OpenSmithySigner({
    credentials: IDENTITY,
    region: REGION,
    service: sent.service,
    sha256: Sha256,
    uriEscapePath: sent.service !== 's3',
  })
  const signed = await signer.sign({
    method: sent.method,
    protocol: 'https:',
    hostname: HOST,
    path: url.pathname,
    query,
    headers: signedHeaders(sent),
    body: sent.body,
  })
  const signature = String(signed.headers.authorization).slice(-64)
  return { canonicalRequest: '', stringToSign: '', ...signer.last, signature }
}

function aws4s(sent: Sent): Signed {
  const url = new URL(sent.url)
  const signer = new aws4.RequestSigner(
    {
      method: sent.method,
      host: HOST,
      path: url.pathname + url.search,
      headers: signedHeaders(sent),
      body: sent.body,
      region: REGION,
      service: sent.service,
      doNotModifyHeaders: true,
    } as never,
    IDENTITY as never,
  ) as unknown as {
    datetime: string
    canonicalString(): string
    stringToSign(): string
    signature(): string
    prepareRequest(): void
  }
  signer.datetime = '20261122T010203Z'
  signer.prepareRequest()
  return {
    canonicalRequest: signer.canonicalString(),
    stringToSign: signer.stringToSign(),
    signature: signer.signature(),
  }
}

const JSON_BODY = { body: '{"a":1}', headers: { 'content-type': 'application/json' } }

describe('canonical request, string to sign and signature', () => {
  const right: [string, string, RequestInit?][] = [
    ['GET', '/'],
    ['GET', '/prod/jobs'],
    ['GET', '/prod/jobs/'],
    ['GET', '/prod/jobs?a=1&b=2'],
    ['GET', '/prod/jobs?b=2&a=1&a=0'],
    ['GET', '/prod/jobs?a='],
    ['GET', '/prod/jobs?q=a%20b&r=a%2Bb'],
    ['GET', '/prod/a%20b/%C3%BC'],
    ['HEAD', '/prod/jobs'],
    ['DELETE', '/prod/jobs/1'],
    ['POST', '/prod/jobs', JSON_BODY],
    ['PUT', '/prod/jobs', JSON_BODY],
    [
      'PATCH',
      '/prod/jobs',
      { body: 'ü', headers: { 'content-type': 'text/plain;  charset=utf-8', 'x-amz-meta-a': ' b  c ' } },
    ],
    ['POST', '/prod/jobs', { headers: { accept: '*/*', 'x-other': '1', 'x-amzn-trace-id': 'Root=1' } }],
  ]

  it.each(right)("%s %s are those of smithy's signer and of aws4", async (method, path, init) => {
    const sent = await send(method, `https://${HOST}${path}`, init)
    expect(await smithys(sent)).toEqual(ours(sent))
    expect(aws4s(sent)).toEqual(ours(sent))
  })

  it.each([
    ['GET', '/bucket/a//b/'],
    ['GET', '/bucket//key'],
    ['PUT', '/bucket/ä b=c', JSON_BODY],
    ['DELETE', '/bucket/a%20b%C3%BC/'],
    ['GET', '/bucket/key?list-type=2&prefix=a%2F'],
  ] as [string, string, RequestInit?][])(
    "%s %s of S3 are those of smithy's signer and of aws4",
    async (method, path, init) => {
      const sent = await send(method, `https://${HOST}${path}`, init, 's3')
      expect(await smithys(sent)).toEqual(ours(sent))
      expect(aws4s(sent)).toEqual(ours(sent))
    },
  )

  it("are those of smithy's signer for any query whose order encoding does not change", async () => {
    const ascii = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_~ &=/?:@!*') })
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            ascii.filter((name) => /^\w*$/.test(name)),
            ascii,
          ),
        ),
        async (pairs) => {
          const url = new URL(`https://${HOST}/prod/jobs`)
          for (const [name, value] of pairs) url.searchParams.append(`k${name}`, value)
          const sent = await send('GET', url.href)
          expect(await smithys(sent)).toEqual(ours(sent))
        },
      ),
    )
  })

  /** Signatures computed by its own script, from AWS's description alone. */
  it.each([
    ['POST', "/prod/a!'()*b", JSON_BODY, '564cbd7520e3cb309e90435dcbf56e1c8f3f54848d631cc24fbe2b5d822dd414'],
    ['GET', '/prod/jobs?|=1&A=2&ü=3', {}, 'b503bed465863ab947258e1de5cb88a12f682fe89a946da86e25c5981df390e5'],
    [
      'GET',
      '/prod/jobs?__proto__=1&a=2&a=10&a',
      {},
      '34966b7ed619da3217df9a50f433559808be96c56e0213466f42a2d3f78d9ef7',
    ],
    ['DELETE', '/prod/ü 日本?q=a%2Bb+c', {}, '6fe2a7a4aeeabe66a2c2d202691be3a98132e8182b5d4213f9fb2152195121a0'],
  ])('%s %s, which other signers get wrong, are right', async (method, path, init, signature) => {
    expect(ours(await send(method, `https://${HOST}${path}`, init)).signature).toBe(signature)
  })
})

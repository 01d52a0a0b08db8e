import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createServices, type ServiceClient, ServiceRequestError } from '../../src/index.ts'
import { type ReceivedRequest, type SignatureVerdict, verifySignature } from '../../src/testing/index.ts'
import { IDENTITY, type Recorder, startRecorder } from '../support/helpers.ts'

const REGION = 'eu-central-1'

let recorder: Recorder
let client: ServiceClient
beforeAll(async () => {
  recorder = await startRecorder()
  client = createServices({
    services: { any: `${recorder.url}/prod` },
    region: REGION,
    credentials: IDENTITY,
    retry: 0,
  }).any
})
afterAll(() => recorder.close())

const verify = (request: ReceivedRequest): SignatureVerdict =>
  verifySignature(request, { credentials: [IDENTITY], region: REGION })

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(..."%+&=?/.;:@!'()*~# aZ0|ü") }),
  fc.constantFrom('', '%', '%2F', '%zz', '..', '.', '%2e', '__proto__', 'constructor', 'a+b', '%2B'),
)
const calls = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
  path: fc.array(text, { maxLength: 4 }).map((segments) => segments.join('/')),
  search: fc.option(
    fc.array(fc.tuple(text, text)).map((pairs) => pairs.map((pair) => pair.join('=')).join('&')),
    { nil: undefined },
  ),
  searchParams: fc.option(fc.array(fc.tuple(text, text), { minLength: 1 }), { nil: undefined }),
  headers: fc.dictionary(
    fc.stringMatching(/^x-(amz-)?[a-z\d-]{1,10}$/),
    fc.string({ unit: fc.constantFrom(...' !"%&/()=?,;:aZ09~') }),
    { noNullPrototype: true },
  ),
  body: fc.oneof(
    fc.record({ body: fc.uint8Array({ maxLength: 2000 }) }),
    fc.record({ body: fc.string({ unit: 'grapheme' }) }),
    fc.record({ json: fc.jsonValue() }),
    fc.record({ body: fc.array(fc.tuple(text, text)).map((pairs) => new URLSearchParams(pairs)) }),
    fc.constant({}),
  ),
})

/** Makes the call; what came off the wire, or undefined where the client refused it. */
async function record({
  method,
  path,
  search,
  searchParams,
  headers,
  body,
}: typeof calls extends fc.Arbitrary<infer C> ? C : never) {
  recorder.requests.length = 0
  const hasBody = !['GET', 'HEAD'].includes(method)
  const options = { method, headers, ...(searchParams && { searchParams }), ...(hasBody && body) }
  try {
    await client(search === undefined ? path : `${path}?${search}`, options)
  } catch (error) {
    expect(error).toBeInstanceOf(ServiceRequestError)
    expect(recorder.requests).toEqual([])
    return undefined
  }
  expect(recorder.requests).toHaveLength(1)
  return recorder.requests[0] as ReceivedRequest
}

it('each request that the client accepts is verified as received, and each change to it is rejected', async () => {
  let accepted = 0
  await fc.assert(
    fc.asyncProperty(calls, fc.nat(), async (call, position) => {
      const request = await record(call)
      if (request === undefined) return
      accepted += 1
      expect(verify(request)).toMatchObject({ verified: true })
      for (const changed of changes(request, position)) expect(verify(changed)).toMatchObject({ verified: false })
    }),
    { numRuns: 400 },
  )
  // Most calls must get through, or the property says nothing.
  expect(accepted).toBeGreaterThan(200)
}, 60_000)

/** The request with one thing changed at a time. */
function* changes(request: ReceivedRequest, position: number): Generator<ReceivedRequest> {
  const { method, target, rawHeaders, body } = request
  yield { ...request, method: method === 'GET' ? 'HEAD' : 'GET' }

  const [path = '', search] = target.split('?')
  yield { ...request, target: target.replace(path, `${path}x`) }
  yield {
    ...request,
    target: changeAt(path, 1 + (position % (path.length - 1))) + (search === undefined ? '' : `?${search}`),
  }
  yield { ...request, target: `${target}${search === undefined ? '?' : '&'}added` }
  if (search) yield { ...request, target: `${path}?${changeAt(search, position % search.length)}` }

  const [, signed = ''] = /SignedHeaders=([^,]+)/.exec(rawHeaders[rawHeaders.indexOf('authorization') + 1] ?? '') ?? []
  for (const name of signed.split(';')) {
    const index = rawHeaders.findIndex((header, at) => at % 2 === 0 && header.toLowerCase() === name)
    expect(index, name).toBeGreaterThanOrEqual(0)
    yield { ...request, rawHeaders: rawHeaders.with(index + 1, `${rawHeaders[index + 1]}1`) }
    yield { ...request, rawHeaders: rawHeaders.toSpliced(index, 2) }
  }

  yield { ...request, body: Buffer.concat([body, Buffer.from([0])]) }
  if (body.length > 0) {
    const at = position % body.length
    yield { ...request, body: body.map((byte, index) => (index === at ? byte ^ 1 : byte)) }
  }
}

/** Neither `Y` nor `Z` can be a digit of an escape, so the change cannot be another spelling of the same. */
function changeAt(value: string, at: number): string {
  return value.slice(0, at) + (value[at] === 'Z' ? 'Y' : 'Z') + value.slice(at + 1)
}

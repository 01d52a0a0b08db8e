import { createServices, createSignedFetch, ServiceRequestError } from '../../../src/index.ts'
import { verifySignature } from '../../../src/testing/index.ts'
import { IDENTITY, startRecorder } from '../../support/helpers.ts'
import { createRandom, type Random } from './random.ts'
import { createSigners, oddUrls } from './signers.ts'

const REGION = 'eu-central-1'
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const PIECES = [
  ...'abcXYZ019-._~!\'()*:@$&+,;=%/? #|"<>[]{}\\^`',
  ...[
    'ü',
    '日本',
    '🦊',
    '\u0000',
    '\u007f',
    '\ud800',
    '%20',
    '%2F',
    '%2f',
    '%41',
    '%zz',
    '%',
    '..',
    '%2e',
    '__proto__',
    'constructor',
    '//',
  ],
]

export interface FuzzResult {
  /** Requests that reached the verifier. */
  readonly sent: number
  /** Inputs that the client refused before sending. */
  readonly declined: number
  /** What the verifier did not accept, as method and target. */
  readonly refused: readonly string[]
}

/** Sends random requests over loopback, by every way to the wire, and verifies each as it was received. */
export async function fuzz(
  count: number,
  seed: number,
  report: (done: number) => unknown = () => {},
): Promise<FuzzResult> {
  const random = createRandom(seed)
  const recorder = await startRecorder()
  const { service } = createServices({
    services: { service: `${recorder.url}/prod` },
    region: REGION,
    credentials: IDENTITY,
    retry: 0,
  })
  const signedFetch = createSignedFetch({ credentials: IDENTITY, region: REGION, service: 'execute-api' })
  const refused: string[] = []
  let sent = 0
  let declined = 0
  try {
    for (let done = 1; done <= count; done += 1) {
      recorder.requests.length = 0
      const { method, path, query, headers, body } = makeRequest(random)
      const init = { method, headers, ...(body !== undefined && { body }) }
      const ways = [
        () => service(path, { ...init, searchParams: query }),
        () => service.fetch(`${path}?${query.map((pair) => pair.join('=')).join('&')}`, init),
        () => signedFetch(`${recorder.url}/${path.replace(/^\/+/, '')}`, init),
      ]
      try {
        await ways[random(ways.length)]?.()
      } catch (error) {
        // A text that is no URL, or that leaves the base; fetch itself refuses the former.
        if (!(error instanceof ServiceRequestError || error instanceof TypeError) || recorder.requests.length > 0)
          throw error
        declined += 1
      }
      for (const request of recorder.requests) {
        sent += 1
        const { verified } = verifySignature(request, { credentials: [IDENTITY], region: REGION })
        if (!verified) refused.push(`${request.method} ${request.target}`)
      }
      report(done)
    }
  } finally {
    await recorder.close()
  }
  return { sent, declined, refused }
}

/** Sends each odd URL by each signer; the URLs of each that the verifier refuses. */
export async function compareSigners(): Promise<ReadonlyMap<string, readonly string[]>> {
  const recorder = await startRecorder()
  const refused = new Map<string, string[]>()
  try {
    for (const [name, send] of createSigners(IDENTITY, REGION)) {
      refused.set(name, [])
      for (const odd of oddUrls) {
        recorder.requests.length = 0
        await send(recorder.url + odd).catch((error: Error) => error)
        const [request] = recorder.requests
        const isVerified =
          request !== undefined && verifySignature(request, { credentials: [IDENTITY], region: REGION }).verified
        if (!isVerified) refused.get(name)?.push(odd)
      }
    }
  } finally {
    await recorder.close()
  }
  return refused
}

function makeRequest(random: Random) {
  const text = (max: number) => Array.from({ length: random(max) }, () => PIECES[random(PIECES.length)]).join('')
  const method = METHODS[random(METHODS.length)] as string
  const path = Array.from({ length: random(5) }, () => text(5)).join('/')
  const query = Array.from({ length: random(5) }, () => [text(4), text(6)] as [string, string])
  const headers = Object.fromEntries(
    Array.from({ length: random(4) }, () => [
      `x-${random(2) ? 'amz-' : ''}meta-${random(9)}`,
      ' a  b'.repeat(random(3)) + random(99),
    ]),
  )
  const bytes = Buffer.from(Array.from({ length: random(300) }, () => random(256)))
  const bodies = [undefined, '', text(50), bytes, new URLSearchParams(query), new Blob([bytes], { type: 'image/png' })]
  const body = method === 'GET' || method === 'HEAD' ? undefined : bodies[random(bodies.length)]
  return { method, path, query, headers, body }
}

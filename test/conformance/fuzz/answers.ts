import type { Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { createServices, createSignedFetch, type ServiceClient, ServiceError } from '../../../src/index.ts'
import { IDENTITY } from '../../support/helpers.ts'
import { startRawServer } from '../../support/raw-server.ts'
import { createRandom, type Random } from './random.ts'

/** Milliseconds of an attempt, and of a whole call. */
const TIMEOUT_MS = 150
const TOTAL_MS = 300
/**
 * Milliseconds that a call may take beyond its bound, and turns of the event loop after that: where this process is held up,
 * the timer of the call and that of the test expire in the same turn.
 */
const SLACK_MS = 150
const SLACK_TURNS = 20
/** Milliseconds after which reading a body is late. On a busy machine, decoding it chunk by chunk can take seconds. */
const READ_MS = 5000
const CONCURRENCY = 8

export interface AnswerFuzzResult {
  /** Number of calls by the way in which they ended. */
  readonly outcomes: ReadonlyMap<string, number>
  /** Calls that ended late, or with an error of another package. */
  readonly wrong: readonly string[]
  /** Rejections and exceptions that were not caught. */
  readonly uncaught: readonly string[]
  /** Bytes that the heap grew by after the first quarter. */
  readonly growth: number
}

/** Sends `count` calls to a server that responds to each with random bytes. */
export async function fuzzAnswers(
  count: number,
  seed: number,
  report: (done: number) => unknown = () => {},
): Promise<AnswerFuzzResult> {
  const random = createRandom(seed)
  const outcomes = new Map<string, number>()
  const wrong: string[] = []
  const uncaught: string[] = []
  const note = (error: unknown) => uncaught.push(String(error))
  process.on('uncaughtException', note)
  process.on('unhandledRejection', note)
  const server = await startRawServer((socket) => void answer(socket, random))
  const { service } = createServices({
    services: { service: `${server.url}/prod` },
    region: 'eu-central-1',
    credentials: IDENTITY,
    timeout: TIMEOUT_MS,
    maxResponseSize: 1_000_000,
    logger: { info() {}, warn() {}, error() {} },
    onCall: (record) => JSON.stringify(record),
  })
  const signedFetch = createSignedFetch({ credentials: IDENTITY, region: 'eu-central-1', service: 'execute-api' })
  const ways = createWays(service, signedFetch, `${server.url}/prod/x`)
  let started = 0
  let done = 0
  let early = Number.POSITIVE_INFINITY
  const work = async () => {
    while (started < count) {
      started += 1
      const way = random(ways.length)
      const { call, isRead = false } = ways[way] as Way
      const outcome = await Promise.race([outcomeOf(call(random)), late(isRead ? READ_MS : TOTAL_MS + SLACK_MS)])
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      if (outcome === 'late' || outcome.startsWith('untyped')) wrong.push(`way ${way}: ${outcome}`)
      done += 1
      if (done === Math.ceil(count / 4)) early = heapUsed()
      report(done)
    }
  }
  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, work))
    await sleep(TOTAL_MS)
  } finally {
    await server.close()
    process.off('uncaughtException', note)
    process.off('unhandledRejection', note)
  }
  return { outcomes, wrong, uncaught, growth: heapUsed() - early }
}

async function late(ms: number): Promise<'late'> {
  await sleep(ms, undefined, { ref: false })
  for (let turn = 0; turn < SLACK_TURNS; turn += 1) await nextTurn()
  return 'late'
}

/** After a collection of garbage. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

interface Way {
  readonly call: (random: Random) => Promise<unknown>
  /** Whether the body is read after the call, whose bounds end when all bytes have arrived. */
  readonly isRead?: boolean
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const READERS = ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'bytes'] as const

function createWays(service: ServiceClient, signedFetch: typeof fetch, url: string): readonly Way[] {
  const init = (random: Random) => {
    const method = METHODS[random(METHODS.length)] as string
    return { method, ...(!/GET|HEAD/.test(method) && random(2) === 1 && { body: 'x'.repeat(random(2000)) }) }
  }
  const read = (response: Response, random: Random) =>
    (response as Response & Record<'bytes', () => Promise<unknown>>)[READERS[random(READERS.length)] as 'text']()
  const retry = { delay: () => 0 }
  return [
    { call: (random) => service('x', { ...init(random), retry, totalTimeout: TOTAL_MS }).json() },
    { call: (random) => read(service('x', { ...init(random), retry, totalTimeout: TOTAL_MS }) as never, random) },
    {
      call: (random) => service('x', { ...init(random), retry, totalTimeout: TOTAL_MS, throwHttpErrors: false }).text(),
    },
    { isRead: true, call: async (random) => read(await service.fetch('x', init(random)), random) },
    {
      isRead: true,
      async call(random) {
        const response = await service.fetch('x', init(random))
        return Promise.all([response.clone().text(), read(response, random)])
      },
    },
    {
      isRead: true,
      async call(random) {
        const response = await service.fetch('x', init(random))
        let size = 0
        for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
          size += chunk.length
          if (size > 1_000_000) break
        }
      },
    },
    // It is not read.
    { call: async (random) => (await service.fetch('x', init(random))).status },
    {
      async call(random) {
        const response = await signedFetch(url, { ...init(random), signal: AbortSignal.timeout(TOTAL_MS) })
        if (random(2) === 1) await response.body?.cancel()
      },
    },
  ]
}

/** How a call ended: with a value, or with the name of its error. */
async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'a value'
  } catch (error) {
    if (error instanceof ServiceError) return JSON.stringify(error) && error.code
    const { name } = error as Error
    // Thrown by a `fetch`, its body, or the reader of JSON and forms.
    return /^(TypeError|SyntaxError|TimeoutError)$/.test(name) ? name : `untyped: ${name}`
  }
}

const STATUSES = ['200', '200', '200', '201', '204', '205', '206', '301', '304', '400', '401', '403', '404', '408']
const MORE_STATUSES = ['429', '500', '502', '503', '504', '100', '101', '103', '199', '299', '599', '600', '999', '0']
const BROKEN_STATUSES = ['', '-1', '20', '2000', 'OK', '99999999999']
const DATES = [
  'Sun, 22 Nov 2026 12:00:00 GMT',
  'Mon, 01 Jan 10000 00:00:00 GMT',
  'Sat, 13 Sep 275760 00:00:00 GMT',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Wed, 05 Mar 2098 00:00:00 GMT',
  'yesterday',
]
const TYPES = [
  'InvalidSignatureException',
  'ExpiredTokenException',
  'AccessDeniedException',
  'LimitExceededException',
  'X',
]
const MESSAGES = [
  'Signature expired: x',
  'Signature not yet current: x',
  'The security token included in the request is expired',
  'User: u is not authorized to perform: a on resource: r',
  'Forbidden',
  "The Canonical String for this request should have been\n'GET\n/\n\nhost:h\n\nhost\nabc'\n\nThe String-to-Sign",
]
const OTHERS = [
  'text/html',
  'application/json',
  'multipart/form-data; boundary=b',
  'application/x-www-form-urlencoded',
  '',
]

/** Responds to one request with some bytes in pieces, cut anywhere, and then an end, a reset, or nothing. */
async function answer(socket: Socket, random: Random): Promise<void> {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T
  const bytes = createAnswer(random, pick)
  const cut = random(4) === 0 ? random(bytes.length + 1) : bytes.length
  const pieces = random(3) === 0 ? 1 + random(6) : 1
  for (let piece = 0; piece < pieces; piece += 1) {
    if (socket.destroyed) return
    if (random(6) === 0) await sleep(random(pieces > 1 ? 60 : 20))
    socket.write(bytes.subarray(Math.floor((cut * piece) / pieces), Math.floor((cut * (piece + 1)) / pieces)))
  }
  const end = random(12)
  if (end === 0) socket.resetAndDestroy()
  else if (end === 1) socket.destroy()
  else if (end < 8) socket.end()
}

function createAnswer(random: Random, pick: <T>(list: readonly T[]) => T): Buffer {
  if (random(40) === 0) return createJunk(random)
  const body = createBody(random, pick)
  const coding = pick(['', '', '', 'gzip', 'br', 'deflate', 'zstd', 'x-gzip', 'gzip, br', 'unknown', 'gzip,'.repeat(9)])
  const coded = random(4) === 0 ? createJunk(random) : encode(body, coding)
  const isChunked = random(4) === 0
  const status = pick(random(30) === 0 ? BROKEN_STATUSES : random(3) === 0 ? MORE_STATUSES : STATUSES)
  const lengths = [coded.length, coded.length, coded.length, 0, coded.length + 9, Math.floor(coded.length / 2)]
  const length = random(20) === 0 ? pick(['-1', 'x', '9'.repeat(25), '1, 1']) : String(pick(lengths))
  const head = [
    `HTTP/1.${random(10) === 0 ? 0 : 1} ${status} ${pick(['OK', '', 'Very \xff odd', 'x'.repeat(500)])}`,
    coding && `content-encoding: ${coding}`,
    isChunked ? 'transfer-encoding: chunked' : random(5) > 0 && `content-length: ${length}`,
    random(2) === 0 && `content-type: ${pick(OTHERS)}`,
    random(3) === 0 && `x-amzn-errortype: ${pick(TYPES)}`,
    random(3) === 0 && `date: ${pick(DATES)}`,
    random(3) === 0 && `retry-after: ${pick(['0', '1', '9'.repeat(22), '-1', 'soon', ...DATES])}`,
    random(5) === 0 && `connection: ${pick(['close', 'keep-alive', 'upgrade'])}`,
    random(5) === 0 && `keep-alive: timeout=${pick(['1', '0', '-1', '9'.repeat(20)])}`,
    random(8) === 0 && 'location: https://evil.example/\r\nset-cookie: a=1\r\nset-cookie: b=2',
    random(30) === 0 && `x-long: ${'y'.repeat(random(20_000))}`,
    random(30) === 0 && pick(['broken header', ': nothing', 'x\x01y: 1', 'x: \x02', 'x : 1', ' folded: 1']),
  ].filter((line) => line !== false && line !== '')
  const sent = isChunked ? chunk(coded, random) : coded
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), sent])
}

function createBody(random: Random, pick: <T>(list: readonly T[]) => T): Buffer {
  const bodies = [
    () => '',
    () => '{}',
    () => JSON.stringify({ message: pick(MESSAGES) }),
    () => JSON.stringify({ errors: [{ errorType: 'UnauthorizedException', message: pick(MESSAGES) }] }),
    () => `{"message":"${IDENTITY.sessionToken}"`,
    () => '['.repeat(random(5000)),
    () => `[${'{"a":"01234567"},'.repeat(random(8000))}0]`,
    () => 'x'.repeat(random(200_000)),
    () => '--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n',
    () => '\ufeff{"a":1}',
  ]
  if (random(60) === 0) return Buffer.alloc(3_000_000)
  return random(10) === 0 ? createJunk(random) : Buffer.from(pick(bodies)())
}

function createJunk(random: Random): Buffer {
  return Buffer.from(Array.from({ length: random(400) }, () => random(256)))
}

function encode(body: Buffer, coding: string): Buffer {
  if (coding === 'br') return brotliCompressSync(body)
  if (coding === 'deflate') return deflateSync(body)
  if (coding === 'gzip, br') return brotliCompressSync(gzipSync(body))
  return /gzip$/.test(coding) ? gzipSync(body) : body
}

function chunk(body: Buffer, random: Random): Buffer {
  const size = [1, 100, 65_536][random(3)] as number
  const parts: Buffer[] = []
  for (let at = 0; at < body.length && parts.length < 6000; at += size) {
    const part = body.subarray(at, at + size)
    const length = random(2000) === 0 ? 'zz' : part.length.toString(16)
    parts.push(Buffer.from(`${length}\r\n`), part, Buffer.from('\r\n'))
  }
  if (random(8) > 0) parts.push(Buffer.from(random(8) === 0 ? '0\r\nx-trailer: 1\r\n\r\n' : '0\r\n\r\n'))
  return Buffer.concat(parts)
}

import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { expect, it, onTestFinished } from 'vitest'
import { createServices, createSignedFetch, ServiceError, ServiceResponseError } from '../../../src/index.ts'
import { IDENTITY, rejection } from '../../support/helpers.ts'
import { startRawServer, writeWithoutEnd } from '../../support/raw-server.ts'
import { startStopwatch } from '../../support/stopwatch.ts'

const MB = 1024 * 1024
const REGION = 'eu-central-1'

type Respond = Parameters<typeof startRawServer>[0]

async function useServer(respond: Respond, options: object = {}, own: object = {}) {
  const server = await startRawServer(respond)
  onTestFinished(server.close)
  const { ai } = createServices({
    services: { ai: { url: `${server.url}/prod`, ...own } },
    credentials: IDENTITY,
    region: REGION,
    retry: 0,
    ...options,
  })
  const fetch = createSignedFetch({ credentials: IDENTITY, region: REGION, service: 'execute-api' })
  return { ai, fetch, url: `${server.url}/prod/x` }
}

/** Bytes that the process holds at most while `run` runs, beyond what it held before. */
async function peakOf(run: () => Promise<unknown>): Promise<number> {
  const held = () => {
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = held()
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, held() - before)
  }, 2)
  try {
    await run()
  } finally {
    clearInterval(timer)
  }
  return Math.max(peak, held() - before)
}

const OK = 'HTTP/1.1 200 OK\r\n'
/** A gateway's refusal, whose message decides whether the call is healed. */
const REFUSAL = 'HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: InvalidSignatureException\r\n'

/** Unpacks to a thousand times its size. */
const BOMB = gzipSync(Buffer.alloc(300 * MB))

const bomb: Respond = (socket) => {
  socket.write(`${OK}content-encoding: gzip\r\ncontent-length: ${BOMB.length}\r\n\r\n`)
  socket.write(BOMB)
}

const READERS = {
  json: (response: Response) => response.json(),
  text: (response: Response) => response.text(),
  bytes: (response: Response) => (response as Response & { bytes: () => Promise<unknown> }).bytes(),
  arrayBuffer: (response: Response) => response.arrayBuffer(),
  blob: (response: Response) => response.blob(),
  formData: (response: Response) => response.formData(),
  clone: (response: Response) => response.clone().text(),
  'a clone of a clone': (response: Response) => response.clone().clone().text(),
  'the original of a clone': (response: Response) => response.clone() && response.text(),
}

it.each(Object.keys(READERS) as (keyof typeof READERS)[])(
  'a small body that unpacks to 300 MB ends with an error that says so: %s',
  async (name) => {
    const { ai } = await useServer(bomb)
    const peak = await peakOf(async () => {
      const error = await rejection(ai.fetch('x').then(READERS[name]))
      expect(error).toBeInstanceOf(ServiceResponseError)
      expect(error).toMatchObject({ status: 200, message: expect.stringContaining('maxResponseSize') })
    })
    expect(peak).toBeLessThan(16 * MB + 100 * MB)
  },
  20_000,
)

it.each([
  ['a limit of the factory', 1000, { maxResponseSize: 1000 }, {}],
  ['a limit of the service', 9, { maxResponseSize: 1000 }, { maxResponseSize: 9 }],
])('%s is kept to the byte', async (_, maxResponseSize, options, own) => {
  const body = 'x'.repeat(maxResponseSize)
  const send = (text: string): Respond => {
    return (socket) => void socket.write(`${OK}content-length: ${text.length}\r\n\r\n${text}`)
  }
  const { ai } = await useServer(send(body), options, own)
  expect(await ai.get('x').text()).toBe(body)
  const { ai: other } = await useServer(send(`${body}x`), options, own)
  expect(await rejection(other.get('x').text())).toMatchObject({
    code: 'ERR_SERVICE_RESPONSE',
    message: `ai: GET /x: 200, but the response body exceeds maxResponseSize (${maxResponseSize} bytes)`,
  })
  const { ai: unlimited } = await useServer(send(`${body}x`), { maxResponseSize: false })
  expect(await unlimited.get('x').text()).toBe(`${body}x`)
})

it('a body that comes byte by byte costs little more than its size', async () => {
  const chunk = Buffer.from('1\r\nx\r\n'.repeat(10_000))
  const { ai } = await useServer(
    (socket) => {
      socket.write(`${OK}transfer-encoding: chunked\r\n\r\n`)
      writeWithoutEnd(socket, chunk)
    },
    { maxResponseSize: MB },
  )
  const peak = await peakOf(async () => {
    expect(await rejection(ai.get('x').text())).toMatchObject({ message: expect.stringContaining('maxResponseSize') })
  })
  expect(peak).toBeLessThan(30 * MB)
}, 60_000)

it('an error of 10 MB of small JSON values is read, parsed and redacted no further than 64 KB', async () => {
  const body = `[${'{"a":"0123456789"},'.repeat(550_000)}0]`
  const { ai } = await useServer((socket) => {
    socket.write(`HTTP/1.1 500 No\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  })
  const took = startStopwatch()
  const error = (await rejection(ai.get('x').json())) as ServiceResponseError
  expect(took()).toBeLessThan(1000)
  expect(error.status).toBe(500)
  expect(error.data).toMatch(/^\[\{"a":"0123456789"\}.*\.\.\. \[cut after 65536 bytes\]$/)
  expect(String(error.data).length).toBeLessThan(65_600)
})

it.each([
  ['values', '0,'],
  ['texts', '"0123456789",'],
  ['escaped texts', '"\\\\u0030\\\\u0031%30%31&#x30;",'],
  ['members', '{"aaaaaaaa":"bbbbbbbb"},'],
  ['nested lists', '[[[[[[[[["aaaaaaaa"]]]]]]]]],'],
  // What else runs on the machine adds to CPU time, but not each time.
])('an error of 64 KB of small %s keeps the process busy for less than 150 ms', { retry: 2 }, async (_, value) => {
  const body = `[${value.repeat(Math.floor(65_000 / value.length))}0]`
  const { ai } = await useServer((socket) => {
    socket.write(`HTTP/1.1 500 No\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  })
  const cpu = process.cpuUsage()
  const error = await rejection(ai.get('x').json())
  const { user } = process.cpuUsage(cpu)
  expect(error).toMatchObject({ status: 500, data: expect.any(Array) })
  expect(user / 1000).toBeLessThan(150)
})

it.each(['x', '"', '%', '\\u', '&#x2f;', 'User: ', '\n', 'AAAA'])(
  'an error of 1 MB of %j alone keeps it busy no longer',
  { retry: 2 },
  async (piece) => {
    const body = piece.repeat(MB / piece.length)
    const { ai } = await useServer((socket) => {
      const type = 'x-amzn-errortype: AccessDeniedException'
      socket.write(`HTTP/1.1 403 No\r\n${type}\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    })
    const cpu = process.cpuUsage()
    const error = await rejection(ai.get('x').json())
    const { user } = process.cpuUsage(cpu)
    expect(error).toMatchObject({ status: 403 })
    expect((error as Error).message.length).toBeLessThan(5000)
    expect(user / 1000).toBeLessThan(150)
  },
)

it.each(['fetch of a client', 'signed fetch'])(
  'an endless, unread rejection takes only kilobytes: %s',
  async (way) => {
    let sockets = 0
    const { ai, fetch, url } = await useServer((socket) => {
      sockets += 1
      socket.write(`${REFUSAL}\r\n`)
      writeWithoutEnd(socket, Buffer.alloc(65_536, ' '))
    })
    const responses: Response[] = []
    const peak = await peakOf(async () => {
      for (let count = 0; count < 5; count += 1) {
        const took = startStopwatch()
        responses.push(await (way === 'signed fetch' ? fetch(url) : ai.fetch('x')))
        expect(took()).toBeLessThan(1500)
      }
      await sleep(50)
    })
    expect([sockets, responses.map(({ status }) => status)]).toEqual([5, [403, 403, 403, 403, 403]])
    expect(peak).toBeLessThan(10 * MB)
    for (const response of responses) await response.body?.cancel()
  },
  20_000,
)

it('an endless body is of an error is cut, and ends with its call', async () => {
  const { ai } = await useServer((socket) => {
    socket.write(`HTTP/1.1 500 No\r\n\r\n`)
    writeWithoutEnd(socket, Buffer.alloc(1000, 'x'))
  })
  const took = startStopwatch()
  expect(await rejection(ai.get('x', { timeout: 500 }).json())).toMatchObject({ status: 500 })
  expect(took()).toBeLessThan(650)
})

it('a body with a 205 is not taken, however long it is', async () => {
  let isClosed = false
  const { ai } = await useServer((socket) => {
    socket.on('close', () => {
      isClosed = true
    })
    socket.write('HTTP/1.1 205 Reset Content\r\ntransfer-encoding: chunked\r\n\r\n')
    writeWithoutEnd(socket, Buffer.from(`ffff\r\n${'x'.repeat(65_535)}\r\n`))
  })
  expect(await ai.get('x').text()).toBe('')
  await expect.poll(() => isClosed).toBe(true)
})

it("a body that is not JSON is kept as far as an error's body", async () => {
  const body = 'x '.repeat(MB)
  const { ai } = await useServer((socket) => {
    socket.write(`${OK}content-length: ${body.length}\r\n\r\n${body}`)
  })
  const error = (await rejection(ai.get('x').json())) as ServiceResponseError
  expect(error).toBeInstanceOf(ServiceError)
  expect(error.data).toMatch(/^x x .*\[cut after 65536 bytes\]$/)
  expect(String(error.data).length).toBeLessThan(65_600)
})

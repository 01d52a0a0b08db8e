/** The Runtime API of one Lambda function, on loopback. Each invocation that it hands out must get exactly one result, in time. */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

const PREFIX = '/2018-06-01/runtime'
const FUNCTION_ARN = 'arn:aws:lambda:us-east-1:123456789012:function:example'

/** Milliseconds that an invocation may take, from being queued to its result. */
const INVOCATION_MS = 20_000

/** More than any scenario needs. */
const MAX_INVOCATIONS = 20_000

export interface Invocation {
  readonly traceId: string
  /** The function's result. Rejects with its error, or if there is none in time. */
  readonly answer: Promise<unknown>
}

export interface RuntimeApi {
  /** For AWS_LAMBDA_RUNTIME_API. */
  readonly address: string
  /** Queues an invocation, with its own trace. */
  readonly invoke: (event: unknown) => Invocation
  /** Resolves once the runtime waits for an invocation, which is when Lambda freezes it. */
  readonly idle: () => Promise<void>
  /** The most invocations at a time that were handed out and had no result yet. */
  readonly maxInFlight: () => number
  /** Results for unknown invocations, or for those that already had one. */
  readonly strayAnswers: () => number
  /** Ends every invocation, for a runtime that is gone. */
  readonly fail: (error: Error) => void
  readonly close: () => Promise<void>
}

interface Running {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

export async function startRuntimeApi(): Promise<RuntimeApi> {
  const queue: string[] = []
  const invocations = new Map<string, Running>()
  const pollers: ((id: string) => void)[] = []
  let idle: PromiseWithResolvers<void> | undefined
  let failure: Error | undefined
  let count = 0
  let inFlight = 0
  let maxInFlight = 0
  let strayAnswers = 0

  const handOut = () => {
    while (queue.length > 0 && pollers.length > 0) pollers.shift()?.(queue.shift() as string)
    if (pollers.length > 0) idle?.resolve()
  }
  const fail = (error: Error) => {
    failure ??= error
    idle?.reject(error)
    for (const { reject } of invocations.values()) reject(error)
  }
  /** Takes the result of an invocation; false if the invocation has none outstanding. */
  const take = async (id: string, kind: string, incoming: IncomingMessage): Promise<boolean> => {
    const body = await json(incoming)
    const running = invocations.get(id)
    if (running === undefined) return false
    invocations.delete(id)
    inFlight -= 1
    if (kind === 'response') running.resolve(body)
    else running.reject(new Error(JSON.stringify(body)))
    return true
  }

  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    const { method, url = '' } = incoming
    const answer = (status: number) => response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    const [, id, kind] = /^\/invocation\/([^/]+)\/(response|error)$/.exec(url.replace(PREFIX, '')) ?? []
    if (method === 'GET' && url === `${PREFIX}/invocation/next`) {
      pollers.push((next) => {
        const { headers, body } = invocations.get(next) as Running
        inFlight += 1
        maxInFlight = Math.max(maxInFlight, inFlight)
        response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body)
      })
      handOut()
    } else if (method === 'POST' && id !== undefined && kind !== undefined) {
      if (await take(id, kind, incoming)) return answer(202)
      strayAnswers += 1
      answer(400)
    } else if (method === 'POST' && url === `${PREFIX}/init/error`) {
      fail(new Error(`The function did not start: ${JSON.stringify(await json(incoming))}`))
      answer(202)
    } else answer(404)
  }
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))

  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    invoke(event) {
      if (failure !== undefined) throw failure
      count += 1
      if (count > MAX_INVOCATIONS) throw new Error(`More than ${MAX_INVOCATIONS} invocations`)
      const id = randomUUID()
      const root = `1-${Math.floor(Date.now() / 1000).toString(16)}-${randomBytes(12).toString('hex')}`
      const traceId = `Root=${root};Parent=${randomBytes(8).toString('hex')};Sampled=1`
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      const headers = {
        'lambda-runtime-aws-request-id': id,
        'lambda-runtime-deadline-ms': `${Date.now() + INVOCATION_MS}`,
        'lambda-runtime-trace-id': traceId,
        'lambda-runtime-invoked-function-arn': FUNCTION_ARN,
      }
      invocations.set(id, { headers, body: JSON.stringify(event), resolve, reject })
      queue.push(id)
      handOut()
      const timer = setTimeout(() => reject(new Error(`No answer within ${INVOCATION_MS} ms`)), INVOCATION_MS)
      const answer = promise.finally(() => clearTimeout(timer))
      // The caller may await it later.
      answer.catch(() => {})
      return { traceId, answer }
    },
    idle() {
      idle = Promise.withResolvers()
      if (failure !== undefined) idle.reject(failure)
      else handOut()
      return idle.promise
    },
    maxInFlight: () => maxInFlight,
    strayAnswers: () => strayAnswers,
    fail,
    close: () =>
      new Promise((resolve) => {
        fail(new Error('The Runtime API is closed'))
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

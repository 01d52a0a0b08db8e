import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createServices, createSignedFetch } from '../../../src/index.ts'
import { createAgents, createKeepConnection } from '../../../src/transport/keep-alive.ts'
import { answer, IDENTITY, rejection } from '../../support/helpers.ts'

type Dispatcher = NonNullable<RequestInit['dispatcher']>

const FIRST = Symbol.for('undici.globalDispatcher.1')
const SECOND = Symbol.for('undici.globalDispatcher.2')
const globals = globalThis as { [FIRST]?: unknown; [SECOND]?: unknown }

/** Node makes the dispatcher with the first touch of its fetch. */
const builtIn = new Request('http://localhost/') && ((globals[SECOND] ?? globals[FIRST]) as Dispatcher)
const BuiltIn = builtIn.constructor as new (options?: object) => Dispatcher

interface Service {
  readonly url: string
  readonly connections: Socket[]
  readonly live: () => Socket[]
}

/** A service that keeps idle connections as they are. */
async function startService(
  respond: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end('{}'),
  port = 0,
): Promise<Service> {
  const connections: Socket[] = []
  const server = createServer({ keepAliveTimeout: 0 }, respond)
  server.on('connection', (socket) => connections.push(socket))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    live: () => connections.filter(({ destroyed }) => !destroyed),
  }
}

/** A connection is free again some turns of the event loop after its answer. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 10))

/** Calls with the built-in fetch, at the time that a test sets: as after a freeze, no timer has run for it. */
function useConnections() {
  const clock = { now: 1_000_000_000 }
  const keep = createKeepConnection(() => clock.now)
  const dispatcherFor = (origin: string, init: RequestInit = {}) => {
    keep(init, origin)
    return init.dispatcher
  }
  const call = async (url: string) => {
    const init: RequestInit = { method: 'POST', body: '{}' }
    keep(init, url)
    const text = await (await fetch(url, init)).text()
    await turn()
    return text
  }
  return { clock, call, dispatcherFor }
}

function useServices(url: string, options: { readonly fetch?: typeof fetch } = {}) {
  return createServices({
    services: { ai: { url, region: 'us-east-1', signingName: 'execute-api', retry: 0 } },
    credentials: IDENTITY,
    ...options,
  })
}

/** What the stubbed global `fetch` is given. */
function stubFetch(): RequestInit[] {
  const seen: RequestInit[] = []
  vi.stubGlobal('fetch', (_input: unknown, init: RequestInit) => {
    seen.push(init)
    return answer()
  })
  onTestFinished(() => {
    vi.unstubAllGlobals()
  })
  return seen
}

function setDispatchers(first: unknown, second: unknown): void {
  const before = [globals[FIRST], globals[SECOND]]
  globals[FIRST] = first
  globals[SECOND] = second
  onTestFinished(() => {
    ;[globals[FIRST], globals[SECOND]] = before
  })
}

describe('a connection', () => {
  it('serves until it was idle for more than 30 s, and is closed then', async () => {
    const service = await startService()
    const { clock, call } = useConnections()
    for (const pause of [0, 6_000, 25_000, 30_000]) {
      clock.now += pause
      await call(service.url)
    }
    expect(service.connections).toHaveLength(1)
    clock.now += 30_001
    await call(service.url)
    expect(service.connections).toHaveLength(2)
    await vi.waitFor(() => expect(service.live()).toEqual([service.connections[1]]))
  })

  it('is not trusted after a clock was set back', async () => {
    const service = await startService()
    const { clock, call } = useConnections()
    await call(service.url)
    clock.now -= 30_001
    await call(service.url)
    expect(service.connections).toHaveLength(2)
  })

  it("counts its own service's calls alone", async () => {
    const [busy, quiet] = [await startService(), await startService()]
    const { clock, call } = useConnections()
    await call(quiet.url)
    for (let seconds = 0; seconds < 40; seconds += 10) {
      clock.now += 10_000
      await call(busy.url)
    }
    await call(quiet.url)
    expect([busy.connections.length, quiet.connections.length]).toEqual([1, 2])
  })

  it('is kept where several services are called at once', async () => {
    const services = [await startService(), await startService()]
    const { call } = useConnections()
    for (let round = 0; round < 2; round += 1) await Promise.all(services.map(({ url }) => call(url)))
    expect(services.map(({ connections }) => connections.length)).toEqual([1, 1])
  })

  it('is closed, too, where nobody calls its service any more', async () => {
    const [former, other, recent] = [await startService(), await startService(), await startService()]
    const { clock, call } = useConnections()
    await call(former.url)
    await call(recent.url)
    clock.now += 20_000
    await call(recent.url)
    clock.now += 10_001
    await call(other.url)
    await vi.waitFor(() => expect(former.live()).toEqual([]))
    expect(recent.live()).toHaveLength(1)
  })

  it('is made by clients of any kind for all of them, and read by the clock that they have', async () => {
    const service = await startService()
    const signed = createSignedFetch({ credentials: IDENTITY, region: 'us-east-1', service: 'execute-api' })
    const callAll = async () => {
      await useServices(service.url).ai.get('jobs').json()
      await turn()
      await useServices(service.url).ai.post('jobs', { json: {} }).json()
      await turn()
      await (await useServices(service.url).ai.fetch('jobs')).text()
      await turn()
      await (await signed(service.url)).text()
      await turn()
    }
    await callAll()
    expect(service.connections).toHaveLength(1)
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    vi.setSystemTime(Date.now() + 31_000)
    await callAll()
    expect(service.connections).toHaveLength(2)
    await vi.waitFor(() => expect(service.live()).toHaveLength(1))
  })

  it('that fails leaves the next call another one', async () => {
    let isBroken = true
    const service = await startService((request, response) => {
      if (isBroken) request.socket.destroy()
      else response.end('{}')
    })
    const { call } = useConnections()
    await rejection(call(service.url))
    isBroken = false
    expect(await call(service.url)).toBe('{}')
  })

  it('that nobody takes leaves the next call another one', async () => {
    const former = createServer().listen(0, '127.0.0.1')
    await once(former, 'listening')
    const { port } = former.address() as AddressInfo
    await promisify(former.close.bind(former))()
    const { call } = useConnections()
    await rejection(call(`http://127.0.0.1:${port}`))
    const service = await startService(undefined, port)
    expect(await call(service.url)).toBe('{}')
  })
})

describe('several connections at once', () => {
  const callTogether = (call: (url: string) => Promise<string>, { url }: Service, count: number) =>
    Promise.all(Array.from({ length: count }, () => call(url)))

  it('serve again, whatever their age, and none of them after more than 30 s', async () => {
    const service = await startService((_, response) => setTimeout(() => response.end('{}'), 20))
    const { clock, call } = useConnections()
    for (let round = 0; round < 4; round += 1) {
      await callTogether(call, service, 3)
      clock.now += 15_000
      await call(service.url)
      clock.now += 15_000
    }
    await callTogether(call, service, 3)
    expect(service.connections).toHaveLength(3)
    clock.now += 15_000
    await call(service.url)
    clock.now += 15_001
    await callTogether(call, service, 3)
    expect(service.connections).toHaveLength(6)
    await vi.waitFor(() => expect(service.live()).toEqual(service.connections.slice(3)))
  })

  it('are looked after when one of them was made anew', async () => {
    const service = await startService((_, response) => setTimeout(() => response.end('{}'), 20))
    const { clock, call, dispatcherFor } = useConnections()
    const clients: Dispatcher[] = []
    const dispatches: unknown[] = []
    dispatcherFor(service.url)?.on('connect', (_, targets) => {
      const client = targets.at(-1) as Dispatcher
      clients.push(client)
      dispatches.push(client.dispatch)
    })
    await callTogether(call, service, 2)
    service.connections[0]?.destroy()
    await turn()
    for (const pause of [0, 20_000, 20_000]) {
      clock.now += pause
      await callTogether(call, service, 2)
    }
    expect(service.connections).toHaveLength(3)
    const before = clients.indexOf(clients[2] as Dispatcher)
    expect(before).toBeLessThan(2)
    expect(dispatches[2]).toBe(dispatches[before])
    clock.now += 30_001
    await call(service.url)
    expect(service.connections).toHaveLength(4)
  })

  it('do not count when they have ended', async () => {
    const service = await startService()
    const { clock, call, dispatcherFor } = useConnections()
    await call(service.url)
    const dispatcher = dispatcherFor(service.url)
    service.connections[0]?.destroy()
    await turn()
    clock.now += 60_000
    expect(dispatcherFor(service.url)).toBe(dispatcher)
    expect(await call(service.url)).toBe('{}')
  })

  it('let calls finish that are on their way when others leave them', async () => {
    const waiting: ServerResponse[] = []
    const service = await startService((_, response) => waiting.push(response))
    const { clock, call } = useConnections()
    const early = call(service.url)
    await vi.waitFor(() => expect(waiting).toHaveLength(1))
    const sameTurn = call(service.url)
    clock.now += 60_000
    const late = call(service.url)
    await vi.waitFor(() => expect(waiting).toHaveLength(3))
    for (const response of waiting) response.end('done')
    expect(await Promise.all([early, sameTurn, late])).toEqual(['done', 'done', 'done'])
    await vi.waitFor(() => expect(service.live()).toHaveLength(1))
  })

  it('take what has yet to reach them in the turn in which others leave them', async () => {
    const service = await startService()
    const { clock, call, dispatcherFor } = useConnections()
    await call(service.url)
    const dispatcher = dispatcherFor(service.url)
    clock.now += 60_000
    expect(dispatcherFor(service.url)).not.toBe(dispatcher)
    const response = await fetch(service.url, { dispatcher } as RequestInit)
    expect(await response.text()).toBe('{}')
  })

  it('may have been ended by others', async () => {
    const service = await startService()
    const { call, dispatcherFor } = useConnections()
    await dispatcherFor(service.url)?.destroy()
    expect(await call(service.url)).toBe('{}')
  })
})

it('of origins that nobody calls any more are closed once', async () => {
  let now = 0
  const closed: string[] = []
  const options: unknown[] = []
  const find = createAgents(() => now)
  for (const origin of ['https://a.example', 'https://b.example', 'https://c.example']) {
    find(origin, (given) => {
      options.push(given)
      return { dispatch: () => true, close: async () => void closed.push(origin), on() {} }
    })
    now += 30_001
  }
  await turn()
  expect(closed).toEqual(['https://a.example', 'https://b.example'])
  expect(options[0]).toEqual({ keepAliveTimeout: 28_000, keepAliveMaxTimeout: 28_000 })
})

it('says whether the built-in fetch sends, and looks at another one once', () => {
  const keep = createKeepConnection()
  expect(keep({}, 'https://example.com')).toBe(true)
  expect(keep({ dispatcher: builtIn }, 'https://example.com')).toBe(false)
  stubFetch()
  const asText = vi.fn(() => 'another')
  Object.assign(globalThis.fetch, { toString: asText })
  expect(keep({}, 'https://example.com')).toBe(false)
  expect(keep({}, 'https://example.com')).toBe(false)
  expect(asText).toHaveBeenCalledOnce()
})

describe('stands back', () => {
  it('where `fetch` was replaced, until it is put back', async () => {
    const service = await startService()
    const { ai } = useServices(service.url)
    const seen = stubFetch()
    await ai.get('jobs').json()
    expect(seen).toHaveLength(1)
    expect(seen[0]).not.toHaveProperty('dispatcher')
    vi.unstubAllGlobals()
    const { dispatcherFor } = useConnections()
    expect(dispatcherFor(service.url)).toBeInstanceOf(BuiltIn)
  })

  it('where `fetch` is an option, the built-in one too', async () => {
    const inits: RequestInit[] = []
    const own = (input: string | URL | Request, init: RequestInit = {}) => {
      inits.push(init)
      return fetch(input, init)
    }
    const service = await startService()
    await useServices(service.url, { fetch: own }).ai.get('jobs').json()
    const signed = createSignedFetch({ credentials: IDENTITY, region: 'us-east-1', service: 'lambda', fetch: own })
    await signed(service.url)
    expect(inits.filter((init) => 'dispatcher' in init)).toEqual([])
    expect(inits).toHaveLength(2)
  })

  it('where the caller brings a dispatcher', async () => {
    const service = await startService()
    const dispatched: unknown[] = []
    class Own extends BuiltIn {
      override dispatch(...args: Parameters<Dispatcher['dispatch']>): boolean {
        dispatched.push(args[0].path)
        return super.dispatch(...args)
      }
    }
    const dispatcher = new Own()
    const { ai } = useServices(service.url)
    await ai.fetch('a', { dispatcher })
    await ai.get('b', { dispatcher } as object).json()
    const signed = createSignedFetch({ credentials: IDENTITY, region: 'us-east-1', service: 'execute-api' })
    await signed(`${service.url}/c`, { dispatcher })
    expect(dispatched).toEqual(['/a', '/b', '/c'])
  })

  class Agent extends BuiltIn {}

  class Other extends Object.getPrototypeOf(BuiltIn) {
    constructor(options?: object) {
      super()
      Object.assign(this, new BuiltIn(options))
    }
  }

  it.each([
    ['has a way of its own to connect', () => new BuiltIn({ connect: { timeout: 1 } })],
    ['has another option', () => new BuiltIn({ headersTimeout: 1 })],
    ['makes pools of its own', () => new BuiltIn({ factory: () => builtIn })],
    ['has an interceptor', () => Object.assign(new BuiltIn(), { dispatch: () => true })],
    ['is of another class', () => new (class Mock extends BuiltIn {})()],
    [
      'is of a class of that name',
      () =>
        new (class Agent {
          dispatch() {}
        })(),
    ],
    [
      "is npm's",
      () =>
        new (class Agent extends BuiltIn {
          constructor(options?: object) {
            if (options !== undefined) throw new TypeError('factory must be a function.')
            super()
          }
        })(),
    ],
    [
      "takes what Node's own refuses",
      () =>
        new (class Agent extends Object.getPrototypeOf(BuiltIn) {
          constructor() {
            super()
            Object.assign(this, new BuiltIn())
          }
        })(),
    ],
    ['is of a subclass of that name', () => new Agent()],
    ['is of another class of Node', () => new Other()],
    ['is none', () => ({ dispatch() {} })],
    ['is missing', () => undefined],
  ])('where the global dispatcher %s, until it is put back', (_, make) => {
    const before = [globals[FIRST], globals[SECOND]] as const
    const { dispatcherFor } = useConnections()
    expect(dispatcherFor('https://example.com')).toBeInstanceOf(BuiltIn)
    const made = make()
    setDispatchers(made, made)
    expect(dispatcherFor('https://example.com')).toBeUndefined()
    expect(dispatcherFor('https://other.example.com')).toBeUndefined()
    setDispatchers(...before)
    expect(dispatcherFor('https://example.com')).toBeInstanceOf(BuiltIn)
  })

  it('where one of two versions of the dispatcher is replaced', () => {
    const { dispatcherFor } = useConnections()
    const [first, second] = [globals[FIRST], globals[SECOND]]
    for (const replaced of [{ dispatch() {} }, new BuiltIn({ connect: { timeout: 1 } })]) {
      for (const pair of [
        [replaced, second],
        [first, replaced],
      ]) {
        setDispatchers(first, second)
        expect(dispatcherFor('https://example.com')).toBeInstanceOf(BuiltIn)
        setDispatchers(pair[0], pair[1])
        expect(dispatcherFor('https://example.com')).toBeUndefined()
      }
    }
    setDispatchers(undefined, builtIn)
    expect(dispatcherFor('https://example.com')).toBeUndefined()
    // As Node 26 has it.
    setDispatchers(new (class Dispatcher1Wrapper {})(), builtIn)
    expect(dispatcherFor('https://example.com')).toBeInstanceOf(BuiltIn)
  })

  it('where nothing tells where a class comes from', () => {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    onTestFinished(() => {
      Error.stackTraceLimit = stackTraceLimit
    })
    expect(useConnections().dispatcherFor('https://example.com')).toBeUndefined()
  })

  it('and leaves the way in which errors are written as it was', () => {
    const { prepareStackTrace } = Error
    const own = () => 'own'
    Error.prepareStackTrace = own
    onTestFinished(() => {
      Error.prepareStackTrace = prepareStackTrace
    })
    expect(useConnections().dispatcherFor('https://example.com')).toBeInstanceOf(BuiltIn)
    expect(Error.prepareStackTrace).toBe(own)
  })
})
